/* SPDX-License-Identifier: Apache-2.0 */
/* hidden.c: reads a secret line.
 * Owns the terminal's echo while a secret is typed, and gives it back also when a signal comes in
 * between, or the key of one. Never prints a secret, never takes one from the command line or the
 * environment. */
#include "approvald/ctl/hidden.h"

#include "base/mem.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/* Byte by byte, so that what stands behind the line stays for whoever reads next. interrupt: the
 * byte of Ctrl-C, which ends the line (*ret_stop), or -1. */
static enum err_code
read_line(char *ret_line, size_t room, int interrupt, bool *ret_stop, struct err *err)
{
    size_t size = 0;
    ssize_t got;
    char byte = '\0';

    while ((got = read(STDIN_FILENO, &byte, 1)) == 1 && byte != '\n') {
        if (byte == '\r') {
            continue;
        }
        if ((unsigned char)byte == interrupt) {
            mem_wipe(ret_line, room);
            *ret_stop = true;
            return err_set(err, ERR_NOT_FOUND, "standard input: interrupted");
        }
        if (size == room - 1 || byte == '\0') {
            mem_wipe(ret_line, room);
            return byte == '\0' ? err_set(err, ERR_INVALID, "standard input: a NUL byte")
                                : err_set(err, ERR_TOO_LARGE, "standard input: too long a line");
        }
        ret_line[size++] = byte;
    }
    ret_line[size] = '\0';
    return size == 0 && got <= 0 ? err_set(err, ERR_NOT_FOUND, "standard input has ended") : ERR_OK;
}

enum err_code hidden_line(const char *question, char *ret_line, size_t size, struct err *err)
{
    struct termios shown;
    struct termios hidden;
    sigset_t signals;
    sigset_t before;
    bool stop = false;
    enum err_code rc;

    if (isatty(STDIN_FILENO) == 0 || tcgetattr(STDIN_FILENO, &shown) != 0) {
        return read_line(ret_line, size, -1, &stop, err);
    }
    /* Signals wait: whoever interrupts gets his terminal back as it was. */
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGTSTP);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    hidden.c_lflag |= (tcflag_t)ECHONL;
    /* Without ISIG the key is a byte, and as an end of a line it is here at once. */
    hidden.c_cc[VEOL] = shown.c_cc[VINTR];
    (void)sigprocmask(SIG_BLOCK, &signals, &before); /* fails only for a wrong argument */
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    /* Only now: what is typed before echo is off is flushed, and would be seen. */
    (void)fprintf(stderr, "%s", question);
    rc = read_line(ret_line, size,
                   shown.c_cc[VINTR] == _POSIX_VDISABLE ? -1 : (int)shown.c_cc[VINTR], &stop, err);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (stop) {
        (void)fprintf(stderr, "\n");
        (void)raise(SIGINT); /* as the key does elsewhere */
    }
    return rc;
}
