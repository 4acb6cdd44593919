/* SPDX-License-Identifier: Apache-2.0 */
/* code.c: reads a one-time code.
 * Owns the terminal's echo while a code is typed, and gives it back also when a signal comes in
 * between. Never prints a code, never takes one from the command line or the environment. */
#include "approvald/ctl/code.h"

#include "base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* One line, byte by byte, so that what stands behind it stays for whoever reads next. */
static enum err_code read_line(char ret_code[CODE_SIZE], struct err *err)
{
    size_t size = 0;
    char byte;

    while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n') {
        if (byte == '\r') {
            continue;
        }
        if (size == CODE_SIZE - 1) {
            mem_wipe(ret_code, CODE_SIZE);
            return err_set(err, ERR_INVALID, "that is longer than a code");
        }
        ret_code[size++] = byte;
    }
    ret_code[size] = '\0';
    return size == 0 ? err_set(err, ERR_INVALID,
                               "a one-time code is needed: type it, or give it on standard input")
                     : ERR_OK;
}

enum err_code code_read(char ret_code[CODE_SIZE], struct err *err)
{
    struct termios shown;
    struct termios hidden;
    sigset_t signals;
    sigset_t before;
    enum err_code rc;

    if (isatty(STDIN_FILENO) == 0 || tcgetattr(STDIN_FILENO, &shown) != 0) {
        return read_line(ret_code, err);
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
    (void)sigprocmask(SIG_BLOCK, &signals, &before); /* fails only for a wrong argument */
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    /* Only now: what is typed before echo is off is flushed, and would be seen. */
    (void)fprintf(stderr, "Code of your authenticator app: ");
    rc = read_line(ret_code, err);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}
