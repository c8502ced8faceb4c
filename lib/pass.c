/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Passing a descriptor between two processes. */
#include <string.h>
#include <sys/socket.h>

#include "lib/pass.h"

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int pass_send(int to, int fd, const void *bytes, size_t len)
{
	union control control = { 0 };
	const char *at = bytes;

	while (len) {
		struct iovec iov = { (void *)at, len };
		struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;

		if (fd >= 0) {
			struct cmsghdr *header = &control.align;

			message.msg_control = control.bytes;
			message.msg_controllen = sizeof(control.bytes);
			header->cmsg_level = SOL_SOCKET;
			header->cmsg_type = SCM_RIGHTS;
			header->cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(header), &fd, sizeof(int));
		}
		n = sendmsg(to, &message, MSG_NOSIGNAL);
		if (n < 0)
			return -1;
		fd = -1; /* it was sent with the first part */
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t pass_receive(int from, int *fd, void *bytes, size_t len)
{
	union control control;
	struct iovec iov = { bytes, len };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = n < 0 ? NULL : CMSG_FIRSTHDR(&message);

	*fd = -1;
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(header), sizeof(int));
	return n;
}
