/* replay.c: a main for a fuzz target where libFuzzer is not. Gives it every file of the
 * directories named, and prints TAP. A bad input ends the program by a sanitizer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int count;

/* The block is as large as the input, so that a read behind its end is seen. */
static void replay(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) {
    printf("not ok %d - %s\n# cannot be read\n", ++count, path);
  } else {
    size_t size = (size_t)ftell(file);
    uint8_t *bytes = malloc(size);
    rewind(file);
    size = bytes ? fread(bytes, 1, size, file) : 0;
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    printf("ok %d - %s\n", ++count, path);
  }
  if (file) fclose(file);
  fflush(stdout);
}

static int is_input(const struct dirent *entry) { return entry->d_name[0] != '.'; }

int main(int arguments, char **directories) {
  for (int i = 1; i < arguments; i++) {
    struct dirent **entries = NULL;
    int entered = scandir(directories[i], &entries, is_input, alphasort);
    for (int j = 0; j < entered; j++) {
      char path[4096];
      snprintf(path, sizeof path, "%s/%s", directories[i], entries[j]->d_name);
      replay(path);
      free(entries[j]);
    }
    free(entries);
  }
  printf("1..%d\n", count);
  return 0;
}
