/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The DIMMs of a plug. */
#include <stdlib.h>

#include "hotplug/dimms.h"
#include "lib/util.h"

#define RUNS_MAX 4 /* runs of DIMMs that a message names */

void plug_add_dimms(struct plug *plug, uint64_t size_bytes, unsigned count)
{
	for (; count; count--) {
		plug->dimms = xgrow(plug->dimms, plug->dimms_count, sizeof(*plug->dimms));
		plug->dimms[plug->dimms_count++] =
			(struct plug_dimm){ .request.size_bytes = size_bytes };
	}
}

void plug_reset(struct plug *plug)
{
	unsigned i;

	for (i = 0; i < plug->dimms_count; i++) {
		uint64_t size_bytes = plug->dimms[i].request.size_bytes;

		dimm_request_free(&plug->dimms[i].request);
		plug->dimms[i] = (struct plug_dimm){ .request.size_bytes = size_bytes };
	}
	free(plug->nodes);
	plug->nodes = NULL;
	plug->is_misplaced = false;
	plug->from = plug->to = 0;
	plug->failure = (struct err){ 0 };
	mem_file_free(&plug->file);
}

void plug_free(struct plug *plug)
{
	unsigned i;

	for (i = 0; i < plug->dimms_count; i++)
		dimm_request_free(&plug->dimms[i].request);
	free(plug->dimms);
	free(plug->nodes);
	mem_file_free(&plug->file);
}

const struct memdev *plug_device(const struct view *v, const struct plug_dimm *dimm)
{
	return machine_device(&v->machine, dimm->request.device_id);
}

/* Each DIMM's size, for the checks; the caller frees the array. */
uint64_t *plug_sizes(const struct plug *plug)
{
	uint64_t *sizes = xcalloc(plug->dimms_count, sizeof(*sizes));
	unsigned i;

	for (i = 0; i < plug->dimms_count; i++)
		sizes[i] = plug->dimms[i].request.size_bytes;
	return sizes;
}

static bool has_reached(const struct plug_dimm *dimm, enum plug_stage stage)
{
	switch (stage) {
	case STAGE_OBJECT:
		return dimm->is_object_there;
	case STAGE_DEVICE:
		return dimm->is_device_there;
	default:
		return dimm->is_inserted;
	}
}

void plug_expect(struct transaction *t, const struct plug *plug, enum plug_stage stage)
{
	uint64_t bytes = 0;
	unsigned i;

	for (i = 0; i < plug->dimms_count; i++)
		bytes += plug->dimms[i].request.size_bytes;
	progress_expect(&t->progress, stage == STAGE_OBJECT ? "backends" : "DIMMs",
			plug->dimms_count, bytes, NULL);
	t->progress.is_part = plug->to - plug->from < plug->dimms_count;
	plug_show(t, plug, stage);
}

void plug_show(struct transaction *t, const struct plug *plug, enum plug_stage stage)
{
	uint64_t done = 0, bytes = 0;
	unsigned i;

	for (i = 0; i < plug->dimms_count; i++) {
		if (!has_reached(&plug->dimms[i], stage))
			continue;
		done++;
		bytes += plug->dimms[i].request.size_bytes;
	}
	progress_reach(&t->progress, done, bytes, monotonic_ms());
}

int plug_fail(struct plug *plug, const struct err *err)
{
	if (err->code == ERR_INTERRUPTED)
		plug->failure = (struct err){ 0 }; /* everything is undone */
	if (!plug->is_keep_going || err->code == ERR_INTERRUPTED ||
	    err->code == ERR_QEMU_UNREACHABLE)
		return -1;
	if (!plug->failure.code)
		plug->failure = *err;
	return err->code == ERR_TIMEOUT || err->code == ERR_GUEST_UNREACHABLE ? -1 : 0;
}

int plug_stop(struct plug *plug, const struct err *err)
{
	(void)!plug_fail(plug, err);
	return -1;
}

/* Which DIMMs stay although another failed: with is_keep_going, those that are complete. */
bool plug_is_kept(const struct plug *plug, const struct plug_dimm *dimm)
{
	return plug->failure.code && dimm->is_complete;
}

unsigned plug_count_kept(const struct plug *plug)
{
	unsigned i, kept = 0;

	for (i = 0; i < plug->dimms_count; i++)
		kept += plug_is_kept(plug, &plug->dimms[i]);
	return kept;
}

/* The outcome of a DIMM when not all could be plugged. */
enum fate { FATE_KEPT, FATE_GONE, FATE_UNKNOWN };

static enum fate fate_of(const struct plug *plug, const struct plug_dimm *dimm)
{
	if (plug_is_kept(plug, dimm))
		return FATE_KEPT;
	return dimm->is_object_there || dimm->ids[0] || dimm->ids[1] ? FATE_UNKNOWN : FATE_GONE;
}

/* "'x0-dimm', 'x2-dimm' to 'x5-dimm'": list the runs of DIMMs with that fate; returns the number of
 * DIMMs */
static unsigned list_dimms(const struct plug *plug, enum fate fate, struct buf *names)
{
	unsigned i, last, count = 0, runs = 0;

	for (i = 0; i < plug->dimms_count; i = last + 1) {
		last = i;
		if (fate_of(plug, &plug->dimms[i]) != fate)
			continue;
		while (last + 1 < plug->dimms_count &&
		       fate_of(plug, &plug->dimms[last + 1]) == fate)
			last++;
		count += last - i + 1;
		if (++runs > RUNS_MAX)
			continue;
		buf_addf(names, "%s'%s'", runs > 1 ? ", " : "", plug->dimms[i].request.device_id);
		if (last > i)
			buf_addf(names, "%s'%s'", last > i + 1 ? " to " : ", ",
				 plug->dimms[last].request.device_id);
	}
	if (runs > RUNS_MAX)
		buf_addf(names, ", ...");
	return count;
}

void plug_explain_kept(const struct plug *plug, struct err *err)
{
	_cleanup_buf_ struct buf kept = { 0 }, gone = { 0 }, unknown = { 0 }, text = { 0 };
	unsigned count = list_dimms(plug, FATE_KEPT, &kept);

	buf_addf(&text, "%u of %u DIMMs are plugged (%s)", count, plug->dimms_count,
		 buf_text(&kept));
	count = list_dimms(plug, FATE_GONE, &gone);
	if (count)
		buf_addf(&text, ", %u %s not (%s)", count, count > 1 ? "are" : "is",
			 buf_text(&gone));
	count = list_dimms(plug, FATE_UNKNOWN, &unknown);
	if (count)
		buf_addf(&text, ", %u may be (%s)", count, buf_text(&unknown));
	err_wrap(err, "%s", buf_text(&text));
	err->code = ERR_PARTIAL;
}

/* After the last round. */
int plug_finish(const struct plug *plug, struct err *err)
{
	if (!plug->failure.code)
		return 0;
	*err = plug->failure;
	return -1;
}
