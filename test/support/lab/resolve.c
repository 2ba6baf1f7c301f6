/*
 * resolve NAME [4|6]: one address a line, as getaddrinfo gives them; exit 2 when there is none.
 *
 * Built against musl, whose resolver is another one than glibc's: it asks all name servers at once, for A and
 * AAAA from one socket. A name with addresses of one family needs both answers to be right.
 */

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int count, char **words)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	if (count < 2) return 64;
	if (count > 2) hints.ai_family = strcmp(words[2], "6") == 0 ? AF_INET6 : AF_INET;
	int problem = getaddrinfo(words[1], 0, &hints, &found);
	if (problem != 0) {
		fprintf(stderr, "%s: %s\n", words[1], gai_strerror(problem));
		return 2;
	}
	for (; found != 0; found = found->ai_next) {
		char text[INET6_ADDRSTRLEN];
		void *address = found->ai_family == AF_INET6
			? (void *)&((struct sockaddr_in6 *)found->ai_addr)->sin6_addr
			: (void *)&((struct sockaddr_in *)found->ai_addr)->sin_addr;
		puts(inet_ntop(found->ai_family, address, text, sizeof text));
	}
	return 0;
}
