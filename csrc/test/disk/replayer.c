/* replayer.c: cuts the power at every point of a log, in several ways, and has a
 * program look at what is left.
 *
 *   replayer [options] LOG DIRECTORY CHECKER [ARGUMENT…]
 *     --images N    about so many images, evenly over the log; without it every point
 *     --losses N    images at a point (4): see disk.h
 *     --again N     of every N-th image the recovery is recorded too, and the power cut
 *                   at every point of it
 *     --recorder F  what to preload for that
 *
 * The checker is one process. For each image it reads a line, `DIRECTORY<tab>MARK`,
 * where the mark is the last line that the recorded program had printed, and answers
 * with a line: `ok`, or a word for what is wrong and why. At the end the replayer
 * prints how many images there were and how often each word came, and the first images
 * of each that was not ok. Its exit status is 0 unless the checker itself broke down.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/disk/disk.h"

enum { MOST_WORDS = 16, MOST_SHOWN = 5, LONGEST_LINE = 4096 };

typedef struct log {
  char *bytes; /* of the file */
  size_t count;
  disk_record *records;
  const char **payloads;
} log;

typedef struct checker {
  pid_t pid;
  FILE *to, *from;
} checker;

static struct {
  unsigned long images, losses, again;
  const char *recorder, *directory;
  char **command;
} asked = {.losses = 4};

static struct {
  unsigned long images, recoveries, words;
  struct {
    char word[32];
    unsigned long count;
  } word[MOST_WORDS];
} found;

static void die(const char *what) {
  perror(what);
  exit(EXIT_FAILURE);
}

/* ---- the log ---- */

static char *read_whole(const char *path, size_t *size) {
  struct stat status;
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fstat(fd, &status) != 0) die(path);
  *size = (size_t)status.st_size;
  char *bytes = malloc(*size + 1);
  for (size_t got = 0; bytes && got < *size;) {
    ssize_t more = read(fd, bytes + got, *size - got);
    if (more <= 0) die(path);
    got += (size_t)more;
  }
  if (!bytes) die(path);
  close(fd);
  return bytes;
}

static log read_log(const char *path) {
  size_t size, at = 0;
  log log = {.bytes = read_whole(path, &size)};
  size_t most = size / sizeof(disk_record) + 1;
  log.records = malloc(most * sizeof *log.records);
  log.payloads = malloc(most * sizeof *log.payloads);
  if (!log.records || !log.payloads) die(path);
  for (; at < size; log.count++) {
    disk_record *record = &log.records[log.count];
    memcpy(record, log.bytes + at, sizeof *record);
    log.payloads[log.count] = log.bytes + at + sizeof *record;
    at += sizeof *record + record->size;
  }
  return log;
}

static void free_log(log *log) {
  free(log->bytes);
  free(log->records);
  free(log->payloads);
}

/* ---- the checker ---- */

static checker start_checker(const char *log_path, const char *directory) {
  int to[2], from[2];
  assert(asked.command);
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) die("pipe");
  pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    dup2(to[0], STDIN_FILENO);
    dup2(from[1], STDOUT_FILENO);
    if (log_path) {
      char preload[LONGEST_LINE];
      const char *before = getenv("LD_PRELOAD");
      snprintf(preload, sizeof preload, "%s%s%s", before ? before : "",
               before ? ":" : "", asked.recorder);
      setenv("LD_PRELOAD", preload, 1);
      setenv("DISK_LOG", log_path, 1);
      setenv("DISK_DIRECTORY", directory, 1);
    }
    execvp(asked.command[0], asked.command);
    die(asked.command[0]);
  }
  close(to[0]);
  close(from[1]);
  return (checker){pid, fdopen(to[1], "w"), fdopen(from[0], "r")};
}

static void ask(checker *checker, const char *directory, const char *mark,
                char *answer) {
  fprintf(checker->to, "%s\t%s\n", directory, mark);
  fflush(checker->to);
  if (!fgets(answer, LONGEST_LINE, checker->from)) {
    fprintf(stderr, "the checker ended at image %lu (%s)\n", found.images, mark);
    exit(EXIT_FAILURE);
  }
  answer[strcspn(answer, "\n")] = '\0';
}

static void stop_checker(checker *checker) {
  int status;
  fclose(checker->to);
  fclose(checker->from);
  waitpid(checker->pid, &status, 0);
  if (status == 0) return;
  fprintf(stderr, "the checker ended with status %d\n", status);
  exit(EXIT_FAILURE);
}

static void count_answer(const char *answer, const char *where) {
  char word[sizeof found.word->word];
  size_t size = strcspn(answer, " :");
  if (size >= sizeof word) size = sizeof word - 1;
  memcpy(word, answer, size);
  word[size] = '\0';
  size_t i = 0;
  while (i < found.words && strcmp(found.word[i].word, word) != 0) i++;
  if (i == MOST_WORDS) i--;
  if (i == found.words) memcpy(found.word[found.words++].word, word, sizeof word);
  if (++found.word[i].count <= MOST_SHOWN && strcmp(word, "ok") != 0)
    fprintf(stderr, "%s: %s\n", where, answer);
}

/* ---- replaying ---- */

/* A log, and where its replay stands. */
typedef struct replay {
  const log *log;
  disk *disk;
  checker *checker;
  size_t number;       /* of records followed */
  unsigned loss;       /* the kind that is tried */
  const char *outside; /* of what this is the recovery; NULL: of nothing */
  char mark[LONGEST_LINE];
} replay;

static void describe(const replay *replay, char *where, size_t room) {
  snprintf(where, room, "%s%sat %zu of %zu, loss %u",
           replay->outside ? replay->outside : "",
           replay->outside ? ", and in its recovery " : "", replay->number,
           replay->log->count, replay->loss);
}

static void write_image(const replay *replay, char *directory, size_t room) {
  snprintf(directory, room, "%s/%s", asked.directory,
           replay->outside ? "second" : "first");
  if (mkdir(directory, 0700) != 0 && errno != EEXIST) die(directory);
  disk_clear(directory);
  disk_write_image(replay->disk, directory, replay->loss,
                   replay->number * 1000003 + replay->loss);
}

static void look(const replay *replay) {
  char directory[PATH_MAX], answer[LONGEST_LINE], where[256];
  write_image(replay, directory, sizeof directory);
  found.images++;
  ask(replay->checker, directory, replay->mark, answer);
  describe(replay, where, sizeof where);
  count_answer(answer, where);
}

static void replay_all(replay *replay, size_t stride);

/* Records the recovery of the image, and replays that. */
static void look_again(const replay *outer) {
  char directory[PATH_MAX], path[PATH_MAX], answer[LONGEST_LINE], where[256];
  write_image(outer, directory, sizeof directory);
  snprintf(path, sizeof path, "%s/log", asked.directory);
  unlink(path);
  describe(outer, where, sizeof where);
  replay inner = {.disk = disk_new(directory), .checker = outer->checker};
  inner.outside = where;
  memcpy(inner.mark, outer->mark, sizeof inner.mark);
  checker recorded = start_checker(path, directory);
  ask(&recorded, directory, outer->mark, answer);
  stop_checker(&recorded);
  log log = read_log(path);
  inner.log = &log;
  found.recoveries++;
  replay_all(&inner, 1);
  disk_free(inner.disk);
  free_log(&log);
}

static void follow(replay *replay) {
  const disk_record *record = &replay->log->records[replay->number];
  const char *payload = replay->log->payloads[replay->number];
  /* In a recovery, the checker's own answers are no marks. */
  if (record->act == DISK_MARK && !replay->outside) {
    size_t size = 0;
    while (size < record->size && payload[size] != '\n') size++;
    snprintf(replay->mark, sizeof replay->mark, "%.*s", (int)size, payload);
  }
  disk_follow(replay->disk, record, payload);
  replay->number++;
}

static void replay_all(replay *replay, size_t stride) {
  for (;;) {
    for (replay->loss = 0; replay->number % stride == 0 && replay->loss < asked.losses;
         replay->loss++) {
      look(replay);
      if (!replay->outside && asked.again && found.images % asked.again == 0)
        look_again(replay);
    }
    if (replay->number == replay->log->count) return;
    follow(replay);
  }
}

/* ---- the command ---- */

static unsigned long number_of(const char *text) {
  char *end;
  unsigned long number = strtoul(text, &end, 10);
  if (*end || end == text || number == 0) {
    fprintf(stderr, "%s is no count\n", text);
    exit(2);
  }
  return number;
}

static const char *read_command(int argc, char **argv) {
  int at = 1;
  for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
    if (strcmp(argv[at], "--images") == 0)
      asked.images = number_of(argv[at + 1]);
    else if (strcmp(argv[at], "--losses") == 0)
      asked.losses = number_of(argv[at + 1]);
    else if (strcmp(argv[at], "--again") == 0)
      asked.again = number_of(argv[at + 1]);
    else if (strcmp(argv[at], "--recorder") == 0)
      asked.recorder = argv[at + 1];
    else
      break;
  }
  if (argc - at < 3 || (asked.again && !asked.recorder)) {
    fprintf(stderr,
            "usage: replayer [--images N] [--losses N] [--again N --recorder F] "
            "LOG DIRECTORY CHECKER [ARGUMENT...]\n");
    exit(2);
  }
  asked.directory = argv[at + 1];
  asked.command = argv + at + 2;
  return argv[at];
}

int main(int argc, char **argv) {
  const char *path = read_command(argc, argv);
  log log = read_log(path);
  checker checker = start_checker(NULL, NULL);
  replay replay = {.log = &log, .disk = disk_new(NULL), .checker = &checker};
  unsigned long points = asked.images / asked.losses;
  replay_all(&replay, points && log.count > points ? log.count / points : 1);
  stop_checker(&checker);
  printf("records %zu\nimages %lu\nrecoveries %lu\n", log.count, found.images,
         found.recoveries);
  for (size_t i = 0; i < found.words; i++)
    printf("%s %lu\n", found.word[i].word, found.word[i].count);
  disk_free(replay.disk);
  free_log(&log);
  return EXIT_SUCCESS;
}
