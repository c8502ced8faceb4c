/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far a job has come, as a line. */
#include <string.h>

#include "lib/progress.h"
#include "lib/size.h"

#define EXPERIENCE_MS 2000 /* of work before the rest is estimated */
#define BAR_MAX	      24
#define GAP	      "  "

/* The parts of a line; those that do not fit are left out in this order. */
enum { PART_ZONE, PART_SIZE, PART_UNIT, PART_BAR, PART_COUNT, PART_REMARK, PART_TIME, PARTS };

void progress_begin(struct progress *p, const char *phase)
{
	const char *remark = phase == p->phase ? p->remark : NULL;

	*p = (struct progress){ .phase = phase, .remark = remark };
}

void progress_expect(struct progress *p, const char *unit, uint64_t total, uint64_t total_bytes,
		     const char *zone)
{
	progress_begin(p, p->phase);
	p->unit = unit;
	p->total = total;
	p->total_bytes = total_bytes;
	p->zone = zone;
}

void progress_reach(struct progress *p, uint64_t done, uint64_t done_bytes, int64_t now_ms)
{
	if (done > p->total || done_bytes > p->total_bytes)
		return;
	if (!p->is_counted) {
		p->is_counted = true;
		p->first_bytes = done_bytes;
		p->first_ms = p->moved_ms = now_ms;
	}
	if (done < p->done || done_bytes <= p->done_bytes)
		return;
	p->done = done;
	p->done_bytes = done_bytes;
	p->moved_ms = now_ms;
}

int64_t progress_left_ms(const struct progress *p, int64_t now_ms)
{
	int64_t spent_ms = p->moved_ms - p->first_ms;
	double pace, left_ms;

	if (!p->is_counted || p->is_part || spent_ms < EXPERIENCE_MS ||
	    p->done_bytes <= p->first_bytes || p->done_bytes >= p->total_bytes)
		return -1;
	pace = (double)spent_ms / (double)(p->done_bytes - p->first_bytes);
	left_ms = pace * (double)(p->total_bytes - p->done_bytes) - (double)(now_ms - p->moved_ms);
	return left_ms > 0 && left_ms < (double)INT32_MAX ? (int64_t)left_ms : -1;
}

/* "4 s", "3 min", "2 h" */
static void add_time(struct buf *line, int64_t ms)
{
	long long s = (ms + 999) / 1000;

	if (s < 100)
		buf_addf(line, "%lld s", s);
	else if (s < 6000)
		buf_addf(line, "%lld min", (s + 59) / 60);
	else
		buf_addf(line, "%lld h", (s + 3599) / 3600);
}

/* Can the work be shown as partly done? A single unit is either done or not. */
static bool has_fraction(const struct progress *p)
{
	return p->is_counted && p->total_bytes && (!p->unit || p->total > 1);
}

/* "26.5 of 64 GiB", "512 MiB of 1 GiB", "64 GiB" */
static void add_size(struct buf *line, const struct progress *p)
{
	char done[SIZE_TEXT_MAX], total[SIZE_TEXT_MAX];
	size_t number;

	size_format(total, p->total_bytes);
	if (has_fraction(p)) {
		size_format(done, p->done_bytes);
		number = strcspn(done, " ");
		if (!p->done_bytes || !strcmp(done + number, strchr(total, ' ')))
			done[number] = '\0';
		buf_addf(line, "%s of ", done);
	}
	buf_addf(line, "%s", total);
}

static void add_bar(struct buf *line, const struct progress *p, unsigned columns)
{
	unsigned i, width = columns / 6 < BAR_MAX ? columns / 6 : BAR_MAX;
	double part = (double)p->done_bytes / (double)p->total_bytes;

	buf_addf(line, "[");
	for (i = 1; i <= width; i++)
		buf_addf(line, "%s", part * width >= i ? "#" : "-");
	buf_addf(line, "]");
}

/* " 12/512 blocks": of constant width */
static void add_count(struct buf *line, const struct progress *p, bool with_unit)
{
	_cleanup_free_ char *total = xasprintf("%llu", (unsigned long long)p->total);

	buf_addf(line, "%*llu/%s%s%s", (int)strlen(total), (unsigned long long)p->done, total,
		 with_unit ? " " : "", with_unit ? p->unit : "");
}

/* The line without those parts that come before @first. */
static void compose(const struct progress *p, unsigned first, int64_t elapsed_ms, int64_t left_ms,
		    unsigned columns, struct buf *line)
{
	buf_addf(line, "%s", p->phase);
	if (p->remark && first <= PART_REMARK)
		buf_addf(line, ": %s", p->remark);
	if (has_fraction(p) && first <= PART_BAR) {
		buf_addf(line, GAP);
		add_bar(line, p, columns);
	}
	if (has_fraction(p) && p->unit && first <= PART_COUNT) {
		buf_addf(line, GAP);
		add_count(line, p, first <= PART_UNIT);
	}
	if (p->total_bytes && first <= PART_SIZE) {
		buf_addf(line, GAP);
		add_size(line, p);
	}
	if (p->zone && first <= PART_ZONE)
		buf_addf(line, GAP "%s", p->zone);
	if (first > PART_TIME)
		return;
	buf_addf(line, GAP);
	add_time(line, left_ms < 0 ? elapsed_ms - elapsed_ms % 1000 : left_ms);
	buf_addf(line, "%s", left_ms < 0 ? " so far" : " left");
}

void progress_format(const struct progress *p, int64_t elapsed_ms, int64_t now_ms, unsigned columns,
		     struct buf *line)
{
	int64_t left_ms = progress_left_ms(p, now_ms);
	unsigned first;

	for (first = 0; first <= PARTS; first++) {
		_cleanup_buf_ struct buf text = { 0 };

		compose(p, first, elapsed_ms, left_ms, columns, &text);
		if (text.len <= columns) {
			buf_addf(line, "%s", buf_text(&text));
			return;
		}
	}
}
