/* SPDX-License-Identifier: GPL-2.0 */
/* Sending events: they gather per CPU and go to the ring buffer many at a time. */
#ifndef HVTRACE_EVENTS_BPF_H
#define HVTRACE_EVENTS_BPF_H

static __always_inline __u64 stage__record_bytes(__u32 n)
{
	return sizeof(struct hv_record) + n * sizeof(struct page_event);
}

/* Send what waits on this CPU. */
static __always_inline void stage__flush(struct hv_stage *s)
{
	__u32 n = s->n;
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (!n || n > HV_STAGE_EVENTS)
		return;
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wakeup_bytes)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(&ring, &s->cpu, stage__record_bytes(n), flags))
		s->dropped += n;
	else
		s->sent += n;
	s->n = 0;
}

/* An interrupt's program found the stage in use: its event goes alone. */
static __always_inline void event__send_alone(struct hv_stage *s, __u32 cpu,
					      const struct page_event *e)
{
	struct {
		__u32 cpu, n; /* struct hv_record */
		struct page_event event;
	} rec = {.cpu = cpu, .n = 1, .event = *e};

	if (bpf_ringbuf_output(&ring, &rec, sizeof(rec), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&s->dropped, 1);
	else
		__sync_fetch_and_add(&s->sent, 1);
}

static __always_inline void stage__add(struct hv_stage *s, const struct page_event *e)
{
	if (s->n < HV_STAGE_EVENTS)
		s->events[s->n++] = *e;
	if (s->n >= HV_STAGE_EVENTS)
		stage__flush(s);
}

/* Send an event, and another right behind it unless that is NULL. */
__global int event__send(const struct page_event *e, const struct page_event *next)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct hv_stage *s = bpf_map_lookup_elem(&stages, &cpu);

	if (!s || !e)
		return 0;
	if (__sync_lock_test_and_set(&s->busy, 1)) {
		event__send_alone(s, cpu, e);
		if (next)
			event__send_alone(s, cpu, next);
		return 0;
	}
	s->cpu = cpu;
	stage__add(s, e);
	if (next)
		stage__add(s, next);
	s->busy = 0;
	return 0;
}

#endif
