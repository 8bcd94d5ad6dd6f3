/*
 * Shows an environment of so many MiB until it is ended, as every process may: prctl(2), PR_SET_MM_MAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <linux/prctl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    size_t length = (size_t) atol(argv[1]) << 20;
    char *shown = mmap(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), line[4096];
    unsigned long stat[52] = {0};
    struct prctl_mm_map map = {0};
    memset(shown, 'a', length);
    line[fread(line, 1, sizeof line - 1, fopen("/proc/self/stat", "r"))] = 0;
    char *word = strtok(strrchr(line, ')') + 2, " ");
    for (int i = 3; word && i < 52; word = strtok(NULL, " "), i++) {
        stat[i] = strtoul(word, NULL, 10);
    }
    map.start_code = stat[26], map.end_code = stat[27], map.start_stack = stat[28], map.start_data = stat[45], map.end_data = stat[46];
    map.start_brk = stat[47], map.brk = (unsigned long) sbrk(0), map.arg_start = stat[48], map.arg_end = stat[49];
    map.env_start = (unsigned long) shown, map.env_end = map.env_start + length, map.exe_fd = -1;
    puts(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) ? "refused" : "ready");
    fflush(stdout);
    pause();
}
