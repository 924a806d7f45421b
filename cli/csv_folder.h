/* SPDX-License-Identifier: GPL-2.0 */
/* The folder of --csv: the same for live and serve. */
#ifndef HVTRACE_CSV_FOLDER_H
#define HVTRACE_CSV_FOLDER_H

#include "../analysis/report.h"

/* Can it be written to? Makes it, too; NULL is fine. An exit status, after a line if it can't:
 * better now than after an hour. */
int csv_folder__check(const char *dir);
/* The reports' files. An exit status. */
int csv_folder__write(const char *dir, struct vm_report *const *reports, size_t n);

#endif
