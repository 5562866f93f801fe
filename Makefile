# tuff: csrc/ becomes build/tuff/core.so. `make help` lists what there is.

# ---- What a packager may set (luarocks does) -----------------------------------------

CFLAGS  ?= -O3 -g
LIBFLAG ?= -shared
WERROR  ?= -Werror

LUA_INCDIR    ?= $(patsubst -I%,%,$(shell pkg-config --cflags-only-I lua5.4 2>/dev/null))
LUA_LIBS      ?= $(shell pkg-config --libs lua5.4 2>/dev/null)
SQLITE_INCDIR ?= $(patsubst -I%,%,$(shell pkg-config --cflags-only-I sqlite3 2>/dev/null))
SODIUM_INCDIR ?= $(patsubst -I%,%,$(shell pkg-config --cflags-only-I libsodium 2>/dev/null))
PGSQL_INCDIR  ?= $(patsubst -I%,%,$(shell pkg-config --cflags-only-I libpq 2>/dev/null))
PGSQL_LIBDIR  ?=

PREFIX ?= /usr/local
LUADIR ?= $(PREFIX)/share/lua/5.4
LIBDIR ?= $(PREFIX)/lib/lua/5.4
BINDIR ?= $(PREFIX)/bin

# ---- What a user may set -------------------------------------------------------------

DIR          ?= /usr/share/icons/Adwaita
ENGINE       ?= sqlite
FUZZ_SECONDS ?= 60

# ---- Variants: the same rules, other flags, a tree of their own ----------------------

VARIANT =
OUT     = build$(VARIANT:%=/%)

sanitize          = -O1 -fno-omit-frame-pointer -fno-sanitize-recover=undefined -fsanitize
variant_asan     := $(sanitize)=address,undefined
variant_tsan     := $(sanitize)=thread
variant_fuzz     := $(sanitize)=address,undefined,fuzzer-no-link
variant_coverage := -O0 --coverage

# A fuzz target has no main: libFuzzer brings one, and everywhere else its corpus is replayed.
ifeq ($(VARIANT),fuzz)
  CC        := clang
  fuzz_main := -fsanitize=fuzzer
else
  fuzz_main := csrc/test/replay.c
endif

# ---- Sources and what becomes of them ------------------------------------------------

sources  := $(wildcard csrc/core/*.c csrc/codec/*.c csrc/sqlite/*.c csrc/binding/*.c)
objects  := $(sources:csrc/%.c=$(OUT)/obj/%.o)
engine   := $(filter-out $(OUT)/obj/binding/%,$(objects))
programs := $(patsubst csrc/%.c,$(OUT)/%,$(wildcard csrc/test/test_*.c))
fuzzers  := $(patsubst csrc/%.c,$(OUT)/%,$(wildcard csrc/test/fuzz_*.c))
disk     := $(OUT)/test/replayer $(OUT)/test/recorder.so
needed   := -lsqlite3 -lsodium
modules  := $(shell find lua -name '*.lua' 2>/dev/null)

cppflags := -D_GNU_SOURCE -Icsrc $(addprefix -I,$(LUA_INCDIR) $(SQLITE_INCDIR) $(SODIUM_INCDIR)) \
            $(CPPFLAGS)
cflags   := -std=c11 -fPIC -fno-plt -fvisibility=hidden -Wall -Wextra -Wconversion $(WERROR) \
            $(CFLAGS) $(variant_$(VARIANT))
ldflags  := $(variant_$(VARIANT)) $(LDFLAGS)

quiet := $(if $(V),,@)
say    = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@echo '  $(1)')

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.SECONDARY:

build: $(OUT)/tuff/core.so  ## Build the module into build/ (this is what `make` alone does)
	@:

# Lua's symbols come from the interpreter, so nothing of Lua is linked here. Threads of the
# module may outlive a `lua_close`, so its code is never unmapped.
$(OUT)/tuff/core.so: $(objects)
	$(call say,link $@)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(LIBFLAG) $(ldflags) -Wl,-z,nodelete -o $@ $^ $(needed)

$(OUT)/obj/%.o: csrc/%.c Makefile
	$(call say,compile $<)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(cppflags) $(cflags) -MMD -MP -c -o $@ $<

$(OUT)/test/test_%: $(OUT)/obj/test/test_%.o $(engine)
	$(call say,link $@)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(ldflags) -o $@ $^ $(libraries) $(needed)

# A sanitizer calls it before it is ready itself.
$(OUT)/obj/test/disk/interpose.o: cflags := $(filter-out $(variant_$(VARIANT)),$(cflags))
$(OUT)/test/test_io $(OUT)/test/test_backup: $(OUT)/obj/test/disk/interpose.o
$(OUT)/test/test_disk: $(OUT)/obj/test/disk/disk.o

# A program that is an interpreter itself, with the whole module in it.
$(OUT)/test/test_lua_allocation: libraries = $(LUA_LIBS)
$(OUT)/test/test_lua_allocation: $(objects)

# Power losses: see csrc/test/disk. What is preloaded into other programs is never sanitized.
$(OUT)/test/replayer: $(addprefix $(OUT)/obj/test/disk/,replayer.o disk.o)
	$(call say,link $@)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(ldflags) -o $@ $^

$(OUT)/test/recorder.so: csrc/test/disk/interpose.c csrc/test/disk/interpose.h csrc/test/disk/log.h
	$(call say,link $@)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(cppflags) -std=c11 -fPIC -Wall -Wextra -Wconversion $(WERROR) $(CFLAGS) -shared -o $@ $<

# Lets a script fork: see spec/postgres_fork_spec.lua.
$(OUT)/test/fork.so: csrc/test/fork.c
	$(call say,link $@)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(cppflags) -std=c11 -fPIC -Wall -Wextra -Wconversion $(WERROR) $(CFLAGS) -shared -o $@ $<

$(OUT)/test/fuzz_%: $(OUT)/obj/test/fuzz_%.o $(engine)
	$(call say,link $@)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(cppflags) $(cflags) $(ldflags) -o $@ $^ $(fuzz_main) $(needed)

# A driver is a library of its own, which holds nothing of the core.
$(OUT)/tuff/postgres.so: $(patsubst csrc/%.c,$(OUT)/obj/%.o,$(wildcard csrc/postgres/*.c))
	$(call say,link $@)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(LIBFLAG) $(ldflags) $(if $(VARIANT),,-Wl,--no-undefined) -Wl,-z,nodelete -o $@ $^ \
	  $(addprefix -L,$(PGSQL_LIBDIR)) -lpq

$(OUT)/obj/postgres/%.o: cppflags += $(addprefix -I,$(PGSQL_INCDIR))

build/bench/raw_sqlite: libraries = -lsqlite3
build/bench/raw_postgres: libraries = -lpq
build/bench/raw_postgres: cppflags += $(shell pkg-config --cflags-only-I libpq 2>/dev/null)
build/bench/raw_%: spec/bench/raw_%.c spec/bench/raw.c spec/bench/raw.h
	$(call say,compile $<)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(cppflags) -std=c11 $(CFLAGS) -o $@ $(filter %.c,$^) $(libraries)

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)

# ---- Debian's packages, by what needs them -------------------------------------------

to_build := gcc libc6-dev pkg-config liblua5.4-dev libsqlite3-dev libsodium-dev
to_run   := lua5.4 lua-filesystem lua-cjson lua-argparse libsodium23
to_demo_sqlite   := $(to_build) $(to_run) adwaita-icon-theme
to_demo_postgres := $(to_demo_sqlite) libpq-dev postgresql
to_test  := $(to_demo_postgres) pgbouncer openssl locales lua-busted lua-check lua-socket lua-system luarocks
to_lint  := $(to_build) libpq-dev lua-check clang-format clang-tidy
to_fuzz  := $(to_build) clang libclang-rt-dev
to_bench := $(to_build) $(to_run) python3

to_bench_sqlite   := $(to_bench) lua-sql-sqlite3 lua-dbi-sqlite3
to_bench_postgres := $(to_bench) libpq-dev postgresql lua-system lua-sql-postgres lua-dbi-postgresql \
                     python3-psycopg2

packages = @scripts/install_packages.sh $(to_$(1))

# ---- Commands ------------------------------------------------------------------------

# Each installs what it lacks, then builds in a make of its own that sees what was installed.
inner = +@$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
tree  = $(inner) -s VARIANT=$(1)
suite = @scripts/run_suites.sh
lua   = LUA_PATH='$(lua_path)' LUA_CPATH='$(lua_cpath)' lua5.4

lua_path  = $(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;
lua_cpath = $(CURDIR)/build/?.so;;
unexport LUA_INIT LUA_INIT_5_4 LUA_PATH_5_4 LUA_CPATH_5_4

image_library = $(lua) examples/image_library/main.lua "$$DIR" --database
demo_sqlite   = $(image_library) build/demo/image_library.db
demo_postgres = scripts/with_postgres.sh build/demo/postgres env $(image_library)

demo: export DIR := $(DIR)
demo:  ## Catalogue a tree of images (DIR=…, ENGINE=postgres), installing what that needs
	$(if $(demo_$(ENGINE)),,$(error ENGINE=$(ENGINE): the demo runs on sqlite or on postgres))
	$(call packages,demo_$(ENGINE))
	$(inner) build $(filter postgres,$(ENGINE))
	@mkdir -p build/demo
	@$(demo_$(ENGINE))

test:  ## Run every suite, installing what that needs
	$(call packages,test)
	$(call tree,) build postgres disk fork
	$(call tree,asan) build postgres programs
	$(suite) borders luacheck programs:asan corpus:asan specs specs:asan install $(more)

soak:  ## The same with full counts instead of a tenth, and the collector at its most aggressive
	@TUFF_SOAK=1 $(MAKE) --no-print-directory test more=specs:gc

asan:  ## Only what runs under AddressSanitizer and UndefinedBehaviorSanitizer
	$(call packages,test)
	$(call tree,asan) build postgres programs
	$(suite) programs:asan corpus:asan specs:asan

# Not the specs: under a preloaded libtsan the shells that they start children by do not run.
tsan:  ## The C programs with threads under ThreadSanitizer
	$(call packages,build)
	$(call tree,tsan) programs
	$(suite) threads:tsan

coverage:  ## Lines that the suites reach, C and Lua, file by file
	$(call packages,test)
	@rm -rf build/coverage
	$(call tree,coverage) build postgres programs
	$(suite) programs:coverage corpus:coverage specs:coverage; \
	  status=$$?; lua5.4 scripts/coverage.lua && exit $$status

fuzz:  ## Run each fuzz target for FUZZ_SECONDS=60
	$(call packages,fuzz)
	$(call tree,fuzz) fuzzers
	@scripts/fuzz.sh $(FUZZ_SECONDS)

lint:  ## Borders between the layers, luacheck, clang-format, clang-tidy
	$(call packages,lint)
	$(call tree,) build postgres
	$(suite) borders luacheck format tidy

format:  ## Rewrite the C sources in the house's format
	$(call packages,lint)
	@clang-format -i $(wildcard csrc/*/*.[ch] csrc/*/*/*.[ch] scripts/*.c spec/bench/*.[ch])

bench:  ## Compare with plain C and with every binding installed (ENGINE=postgres)
	$(call packages,bench_$(ENGINE))
	$(inner) -s build $(filter postgres,$(ENGINE)) build/bench/raw_$(ENGINE)
	@$(lua) spec/bench/run.lua --engine $(ENGINE)

install: build  ## Install below PREFIX=/usr/local (LUADIR, LIBDIR, BINDIR and DESTDIR are honoured)
	@install -D -m 755 build/tuff/core.so '$(DESTDIR)$(LIBDIR)/tuff/core.so'
	@for module in $(modules:lua/%=%); do \
	  install -D -m 644 "lua/$$module" "$(DESTDIR)$(LUADIR)/$$module"; done
	@install -D -m 755 bin/tuff '$(DESTDIR)$(BINDIR)/tuff'

install-postgres: postgres  ## Install the driver for PostgreSQL beside it
	@install -D -m 755 build/tuff/postgres.so '$(DESTDIR)$(LIBDIR)/tuff/postgres.so'

uninstall:  ## Remove what these have put there
	@rm -f $(patsubst %,'$(DESTDIR)$(LIBDIR)/tuff/%.so',core postgres) $(modules:lua/%='$(DESTDIR)$(LUADIR)/%') \
	  '$(DESTDIR)$(BINDIR)/tuff'
	@find '$(DESTDIR)$(LIBDIR)/tuff' '$(DESTDIR)$(LUADIR)/tuff' -type d -empty -delete 2>/dev/null || :

clean:  ## Remove build/
	@rm -rf build

env:  ## Print what lets lua5.4 use the built tree: eval "$(make -s env)"
	@echo "export LUA_PATH='$(lua_path)'"
	@echo "export LUA_CPATH='$(lua_cpath)'"
	@echo "export PATH='$(CURDIR)/bin':\"\$$PATH\""

help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

programs: $(programs) fuzzers disk fork
fuzzers: $(fuzzers)
disk: $(disk)
fork: $(OUT)/test/fork.so
postgres: $(OUT)/tuff/postgres.so  ## Build the driver for PostgreSQL, which needs libpq
	@:

.PHONY: build programs fuzzers disk fork postgres demo test soak asan tsan coverage fuzz lint format bench \
        install install-postgres uninstall clean env help
