/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks the control socket one question, as a script would without xipsec.
 *
 *   ctlask INSTANCE '{"method":"show","what":"mm"}'
 *
 * Prints the line that comes back. Exit status: 0 there was one, 1 there was none.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/instance.h"

int main(int argc, char **argv)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	char byte = 0;
	int fd;

	if (argc != 3 || !instance_name_ok(argv[1])) {
		fprintf(stderr, "usage: ctlask INSTANCE QUESTION\n");
		return 2;
	}
	instance_socket(argv[1], name.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof(name))) {
		perror(name.sun_path);
		return 1;
	}
	if (dprintf(fd, "%s\n", argv[2]) < 0) {
		perror("write");
		return 1;
	}
	while (byte != '\n' && read(fd, &byte, 1) == 1)
		putchar(byte);
	close(fd);
	return byte == '\n' ? 0 : 1;
}
