/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The character device that leads to the guest. */
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/peer.h"
#include "lib/util.h"
#include "vm/channel.h"

#define IDLE "disconnected:"

/* A relative path in QEMU's answer starts at QEMU's working directory. */
static char *whole_path(struct qmp *qmp, const char *path)
{
	_cleanup_free_ char *directory = NULL;

	if (path[0] != '/' && qmp_peer_pid(qmp))
		directory = peer_cwd(qmp_peer_pid(qmp));
	return directory ? xasprintf("%s%s%s", directory, directory[1] ? "/" : "", path)
			 : xstrdup(path);
}

/* Cut @option off the end of a text; false if it is not there. */
static bool cut_off(char *text, const char *option)
{
	size_t len = strlen(text), option_len = strlen(option);

	if (len < option_len || strcmp(text + len - option_len, option) != 0)
		return false;
	text[len - option_len] = '\0';
	return true;
}

/*
 * The path, or "@NAME", of the socket that a character device listens on (QEMU
 * chardev/char-socket.c): "unix:PATH,server=on" while a client is connected,
 * "disconnected:unix:PATH[,abstract=on[,tight=on]],server=on" while none is. A path may contain
 * commas. NULL for others: a socket that QEMU connects to is not its own.
 */
static char *socket_path(struct qmp *qmp, const char *filename, bool *in_use)
{
	_cleanup_free_ char *text = NULL;

	*in_use = strncmp(filename, IDLE, sizeof(IDLE) - 1) != 0;
	if (!*in_use)
		filename += sizeof(IDLE) - 1;
	if (strncmp(filename, "unix:", 5) != 0)
		return NULL;
	text = xstrdup(filename + 5);
	if (!cut_off(text, ",server=on") && !cut_off(text, ",server"))
		return NULL;
	cut_off(text, ",tight=on");
	if (cut_off(text, ",abstract=on"))
		return xasprintf("@%s", text);
	return whole_path(qmp, text);
}

/* The console that a character device is: a socket, or "pty:/dev/pts/N". NULL for others. */
static char *console_path(struct qmp *qmp, const char *filename, bool *in_use)
{
	if (strncmp(filename, "pty:", 4) != 0)
		return socket_path(qmp, filename, in_use);
	*in_use = false;
	return xstrdup(filename + 4);
}

/* Is it a serial port's label: serial0 from QEMU, charserial0 from libvirt, ser... or console...
 * from users? */
static bool label_is_serial(const char *label)
{
	if (!strncmp(label, "char", 4))
		label += 4;
	return !strncmp(label, "ser", 3) || !strncmp(label, "console", 7);
}

static bool find_console(struct qmp *qmp, struct json_object *chardevs, struct channel *channel)
{
	size_t i, count = json_object_is_type(chardevs, json_type_array)
				  ? json_object_array_length(chardevs)
				  : 0;
	const char *best = NULL, *best_label = NULL;
	_cleanup_free_ char *best_path = NULL;

	for (i = 0; i < count; i++) {
		struct json_object *chardev = json_object_array_get_idx(chardevs, i);
		_cleanup_free_ char *path = NULL;
		const char *label, *filename;

		if (!json_get_string(chardev, "label", &label) ||
		    !json_get_string(chardev, "filename", &filename) || !label_is_serial(label))
			continue;
		path = console_path(qmp, filename, &channel->in_use);
		/* by label: serial0 before serial1, whatever QEMU's order */
		if (path && (!best || strcmp(label, best_label) < 0)) {
			best = filename;
			best_label = label;
		}
	}
	if (!best)
		return false;
	best_path = console_path(qmp, best, &channel->in_use);
	channel->address = address_of_device(ADDRESS_SERIAL, best_path);
	channel->is_pty = !strncmp(best, "pty:", 4);
	channel->label = xstrdup(best_label);
	return true;
}

/* A string property of a QEMU object; the caller frees it; NULL for none. */
static char *get_property(struct qmp *qmp, const char *path, const char *name)
{
	_cleanup_json_ struct json_object *value = NULL;
	struct json_object *arguments = json_object_new_object();
	struct err ignored;

	json_add_string(arguments, "path", path);
	json_add_string(arguments, "property", name);
	if (qmp_execute(qmp, "qom-get", arguments, &value, &ignored) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return xstrdup(json_object_get_string(value));
}

/* The label of the guest agent's character device, among the devices at @path; to be freed. */
static char *find_agent_port(struct qmp *qmp, const char *path)
{
	_cleanup_json_ struct json_object *devices = NULL;
	struct json_object *arguments = json_object_new_object();
	struct err ignored;
	size_t i;

	json_add_string(arguments, "path", path);
	if (qmp_execute(qmp, "qom-list", arguments, &devices, &ignored) ||
	    !json_object_is_type(devices, json_type_array))
		return NULL;
	for (i = 0; i < json_object_array_length(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);
		_cleanup_free_ char *port = NULL;
		_cleanup_free_ char *use = NULL;
		const char *name, *type;

		if (!json_get_string(device, "name", &name) ||
		    !json_get_string(device, "type", &type) ||
		    strcmp(type, "child<virtserialport>") != 0)
			continue;
		port = xasprintf("%s/%s", path, name);
		use = get_property(qmp, port, "name");
		if (use && !strcmp(use, "org.qemu.guest_agent.0"))
			return get_property(qmp, port, "chardev");
	}
	return NULL;
}

/* The guest agent's channel, if an agent has opened its end. */
static void find_agent(struct qmp *qmp, struct json_object *chardevs, struct channel *channel)
{
	_cleanup_free_ char *named = find_agent_port(qmp, "/machine/peripheral");
	_cleanup_free_ char *port =
		named ? xstrdup(named) : find_agent_port(qmp, "/machine/peripheral-anon");
	size_t i, count = port && json_object_is_type(chardevs, json_type_array)
				  ? json_object_array_length(chardevs)
				  : 0;

	for (i = 0; i < count; i++) {
		struct json_object *chardev = json_object_array_get_idx(chardevs, i);
		const char *label, *filename;
		bool is_open;

		if (json_get_string(chardev, "label", &label) && !strcmp(label, port) &&
		    json_get_string(chardev, "filename", &filename) &&
		    json_get_bool(chardev, "frontend-open", &is_open) && is_open) {
			_cleanup_free_ char *path = socket_path(qmp, filename, &channel->in_use);

			if (path)
				channel->address = address_of_device(ADDRESS_AGENT, path);
			channel->label = xstrdup(label);
			return;
		}
	}
}

int channel_find(struct channel *channel, struct qmp *qmp, struct err *err)
{
	_cleanup_json_ struct json_object *chardevs = NULL;

	channel_free(channel);
	if (qmp_execute(qmp, "query-chardev", NULL, &chardevs, err))
		return err_wrap(err, "cannot ask QEMU (query-chardev)");
	if (!find_console(qmp, chardevs, channel))
		find_agent(qmp, chardevs, channel);
	return 0;
}

int channel_has_client(struct qmp *qmp, const char *label, bool *has_client, struct err *err)
{
	_cleanup_json_ struct json_object *chardevs = NULL;
	size_t i;

	*has_client = false;
	if (qmp_execute(qmp, "query-chardev", NULL, &chardevs, err))
		return err_wrap(err, "cannot ask QEMU (query-chardev)");
	for (i = 0; json_object_is_type(chardevs, json_type_array) &&
		    i < json_object_array_length(chardevs);
	     i++) {
		struct json_object *chardev = json_object_array_get_idx(chardevs, i);
		const char *other, *filename;

		if (json_get_string(chardev, "label", &other) && !strcmp(label, other) &&
		    json_get_string(chardev, "filename", &filename))
			*has_client = strncmp(filename, IDLE, sizeof(IDLE) - 1) != 0;
	}
	return 0;
}

bool channel_listens(struct qmp *qmp, bool (*is_there)(const void *context, const char *path),
		     const void *context)
{
	_cleanup_json_ struct json_object *chardevs = NULL;
	bool is_found = false, ignored_use;
	struct err ignored;
	size_t i;

	if (qmp_execute(qmp, "query-chardev", NULL, &chardevs, &ignored) ||
	    !json_object_is_type(chardevs, json_type_array))
		return false;
	for (i = 0; !is_found && i < json_object_array_length(chardevs); i++) {
		_cleanup_free_ char *path = NULL;
		const char *filename;

		if (json_get_string(json_object_array_get_idx(chardevs, i), "filename", &filename))
			path = socket_path(qmp, filename, &ignored_use);
		is_found = path && is_there(context, path);
	}
	return is_found;
}

void channel_free(struct channel *channel)
{
	address_free(&channel->address);
	free(channel->label);
	*channel = (struct channel){ 0 };
}
