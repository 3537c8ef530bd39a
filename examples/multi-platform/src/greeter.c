/* Answers every HTTP request with the platform that it was compiled for: greeter PORT */

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Reads to the empty line that ends the head. What is left unread when a socket is closed makes the kernel reset it. */
static int read_head(int client)
{
    char request[8192];
    size_t length = 0;

    while (length < sizeof request - 1) {
        ssize_t n = read(client, request + length, sizeof request - 1 - length);
        if (n <= 0)
            return -1;
        length += (size_t)n;
        request[length] = '\0';
        if (strstr(request, "\r\n\r\n"))
            return 0;
    }
    return -1;
}

static void answer(int client)
{
    static const char body[] = "hello from " PLATFORM "\n";
    char head[256];

    if (read_head(client) < 0)
        return;
    int length = snprintf(head, sizeof head,
                          "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", sizeof body - 1);
    if (write(client, head, (size_t)length) != length || write(client, body, sizeof body - 1) < 0)
        perror("greeter: write");
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    int on = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: greeter PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0
        || bind(server, (struct sockaddr *)&address, sizeof address) < 0 || listen(server, 16) < 0) {
        perror("greeter");
        return 1;
    }
    for (;;) {
        int client = accept(server, NULL, NULL);
        if (client < 0)
            continue;
        answer(client);
        close(client);
    }
}
