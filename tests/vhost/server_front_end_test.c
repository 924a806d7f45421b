// SPDX-License-Identifier: GPL-2.0
/* Front ends that mean to hold up the server, or to fill its memory: others do not notice. */
#include <errno.h>
#include <malloc.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cache/serve/disk.h"
#include "rig.h"

static struct rig rig;
static struct frontend f;

static void begin(void)
{
	rig = (struct rig){};
	rig__start(&rig);
	rig__open(&rig, &f, NULL);
}

static void end(void)
{
	frontend__free(&f);
	rig__end(&rig);
}

/* --- messages --- */

struct pause {
	struct loop_msg msg;
	sem_t begun, end;
};

static void sleep_in_it(struct loop_msg *m)
{
	struct pause *p = (struct pause *)m;

	sem_post(&p->begun);
	sem_wait(&p->end);
}

/* The disk's data loop stands still until it is told to go on. */
static void pause_data_loop(struct pause *p)
{
	struct disk *d = server__first_disk(rig.server);

	sem_init(&p->begun, 0, 0);
	sem_init(&p->end, 0, 0);
	p->msg.fn = sleep_in_it;
	loop__post(d->loop[0]->loop, &p->msg);
	sem_wait(&p->begun);
}

/* What is asked of the data loop waits there, and takes no memory. */
static void test_flood_of_tables(void **state)
{
	struct vu_msg m = {.header = {VU_SET_MEM_TABLE, 0, 8}};
	struct pause p;
	size_t before;

	begin();
	/* No ring runs. */
	assert_true(frontend__stop_queue(&f, 0) >= 0);
	pause_data_loop(&p);
	before = mallinfo2().uordblks;
	for (unsigned i = 0; i < 20000; i++)
		assert_int_equal(link__send(f.sock, &m), 0);
	assert_int_equal(frontend__sync(&f), 0);
	assert_true(mallinfo2().uordblks < before + (64 << 10));
	sem_post(&p.end);
	/* Sharing memory anew is heard of. */
	assert_int_equal(frontend__share_memory(&f), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood_of_tables),
	};

	/* mallinfo2() tells of one. */
	mallopt(M_ARENA_MAX, 1);
	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
