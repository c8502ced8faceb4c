# SPDX-License-Identifier: GPL-3.0-or-later
#
#   make              build memhp
#   make demo         install what is missing, boot a lab VM, plug, use and unplug 512M
#   make check        install what is missing, run all tests, JOBS at once (0: one after the other)
#   make check-fast   those that need no VM: units, fuzz corpus, the guest's program in each shell, scripted peers, docs
#   make fuzz         FUZZ_SECONDS=60: feed nonsense to every parser for that long in all
#   make check-login  as root: the tests of logging in also on a Debian guest, which is made first
#   make memcheck     units, fuzz corpus and the tests of repair under valgrind
#   make crash        memhp killed at every message it sends or gets, then repaired
#   make soak         SOAK_ROUNDS=1000: plug and unplug on one VM, with interrupts, kills and refusals
#   make picture      docs/memhp.svg, recorded anew on a lab VM
#   make bench        memhp beside a bare client, a script and libvirt, in ratios: 10 minutes, BENCH=quick: one;
#                     BENCH_ARGS="--json FILE --svg FILE --markdown FILE --blocks N"
#   make lint         static analysis, shell checks, what rooms include
#   make install      PREFIX=/usr/local DESTDIR=
#   make dist         memhp-VERSION.tar.gz of what is committed
#   make package-check  as root: build the packages of that, install them in a fresh chroot
#
# SAN=1 builds with ASan and UBSan, WERROR=1 makes warnings errors, V=1 shows commands.

VERSION := 0.1.0

PREFIX      ?= /usr/local
BINDIR      ?= $(PREFIX)/bin
DATADIR     ?= $(PREFIX)/share
MANDIR      ?= $(DATADIR)/man
BASHCOMPDIR ?= $(DATADIR)/bash-completion/completions
ZSHCOMPDIR  ?= $(DATADIR)/zsh/site-functions
FISHCOMPDIR ?= $(DATADIR)/fish/vendor_completions.d
PKG_CONFIG  ?= pkg-config
JSON_C_LIBS ?= $(shell $(PKG_CONFIG) --libs json-c 2>/dev/null || echo -ljson-c)
READLINE_LIBS ?= $(shell $(PKG_CONFIG) --libs readline 2>/dev/null || echo -lreadline)
CFLAGS      ?= -O2 -g
# Tests at once: they wait half of their time, those without a VM (check-fast) most of it.
JOBS        ?= $(shell n=$$(($$(nproc) * 3 / 2)); echo $$((n < 6 ? n : 6)))

# Each build flavour has its own objects: switching never mixes them.
BUILD ?= build/$(notdir $(CC))$(if $(SAN),-san)$(if $(FUZZ),-fuzz)

# The rooms of the house (docs/design.md); tools/rooms.sh has what each may include.
ROOMS := lib cli guest qemu vm hotplug cmd
OBJS  := $(patsubst %.c,$(BUILD)/%.o,memhp.c qmp.c sysfs.c $(sort $(wildcard $(ROOMS:%=%/*.c))))


# What not every compiler, or not for every machine, takes: probes of each page of a large frame, and marked
# targets of jumps and returns (x86: CET; arm64: PAC and BTI).
takes = $(shell echo 'int x;' | $(CC) -Werror $(1) -x c -c -o /dev/null - 2>/dev/null && echo $(1))
HARDENING := $(foreach flag,-fstack-clash-protection -fcf-protection -mbranch-protection=standard,$(call takes,$(flag)))

override CPPFLAGS += -D_GNU_SOURCE -DMEMHP_VERSION='"$(VERSION)"' -I. -I$(BUILD)
override CFLAGS += -std=gnu11 -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla \
	-Wwrite-strings -Wformat=2 -Wpointer-arith -Wundef -fstack-protector-strong -fPIE $(HARDENING) \
	$(if $(WERROR),-Werror) \
	$(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer,\
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) $(if $(FUZZ),-fsanitize=fuzzer-no-link)
override LDFLAGS += -pie -Wl,-z,relro,-z,now,-z,noexecstack $(if $(SAN),-fsanitize=address$(comma)undefined)
override LDLIBS += $(JSON_C_LIBS) $(READLINE_LIBS)
comma := ,

# Debian and Ubuntu packages that each target installs when they are missing.
BUILD_DEPS := gcc make libc6-dev libjson-c-dev libreadline-dev
LAB_DEPS   := qemu-system-x86 cpio gzip busybox-static openssh-client
# What the recipes of docs/ are for: 45 MB installed, most of it Ansible.
RECIPE_DEPS := jq parallel ansible-core libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients
TEST_DEPS  := libcmocka-dev strace python3-pytest python3-pytest-xdist python3-pyte dash bash zsh fish socat shellcheck mandoc \
	qemu-system-arm qemu-system-ppc qemu-efi-aarch64 qemu-utils $(RECIPE_DEPS) $(if $(SAN),libasan8 libubsan1)
LOGIN_DEPS  := debootstrap e2fsprogs
BENCH_DEPS := socat util-linux time python3
FUZZ_DEPS  := clang
MEMCHECK_DEPS := valgrind
PACKAGE_DEPS := libcmocka-dev debhelper dpkg-dev lintian debootstrap rpm git
LINT_DEPS  := clang clang-tidy cppcheck shellcheck universal-ctags git pyflakes3

TESTS   ?= tests
UNITS   := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
LABDATA := lab/init lab/private.sh lab/initramfs.sh lab/machine.sh

ifneq ($(V),1)
say = @echo "  $(1)  $(2)";
endif

all: memhp

memhp: $(BUILD)/memhp
	$(call say,COPY,$@)cp $< $@.new && mv $@.new $@

$(BUILD)/memhp: $(OBJS)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJS) $(LDLIBS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC  ,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/guest/program.o: $(BUILD)/guest-program.h

# The guest's half: guest.sh comes first.
PROGRAM := guest/guest.sh $(filter-out guest/guest.sh,$(sort $(wildcard guest/*.sh)))

$(BUILD)/guest-program.h: $(PROGRAM) guest/pack.awk Makefile | $(BUILD)
	$(call say,AWK ,$@)awk -f guest/pack.awk $(PROGRAM) >$@.new && mv $@.new $@

# Each unit test is linked with everything but main().
$(BUILD)/unit/%: tests/unit/%.c $(filter-out %/memhp.o,$(OBJS)) | $(BUILD)
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< \
		$(filter %.o,$^) $(LDLIBS) -lcmocka

# Each fuzz target too, with a seam in the place of the outside world; libFuzzer drives it with FUZZ=1, else
# replay.c, which only runs what is in the corpus.
$(BUILD)/fuzz/%: tests/fuzz/%.c tests/fuzz/seam.c tests/fuzz/replay.c tests/fuzz/fuzz.h \
		$(filter-out %/memhp.o,$(OBJS)) | $(BUILD)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(if $(FUZZ),-fsanitize=fuzzer) \
		-Wl,--wrap=stream_connect_unix,--wrap=stream_fill,--wrap=getrandom,--wrap=peer_open_path,--wrap=sink_stdout -o $@ \
		$(filter-out $(if $(FUZZ),%/replay.c) %.h,$^) $(LDLIBS)

$(BUILD):
	@mkdir -p $@

demo:
	@tools/depend.sh $(BUILD_DEPS) $(LAB_DEPS)
	@$(MAKE) --no-print-directory memhp
	@lab/demo.sh

check:
	@tools/depend.sh $(BUILD_DEPS) $(LAB_DEPS) $(TEST_DEPS)
	@$(MAKE) --no-print-directory check-built

check-fast: JOBS = $(shell n=$$(($$(nproc) * 2)); echo $$((n < 8 ? n : 8)))
check-fast:
	@tools/depend.sh $(BUILD_DEPS) $(LAB_DEPS) $(TEST_DEPS)
	@$(MAKE) --no-print-directory check-built TESTS="-m 'not vm' tests" JOBS=$(JOBS)

# What needs neither a VM nor anything else but the compiler and cmocka.
units: $(UNITS)
	@set -e; for unit in $(UNITS); do echo "  UNIT  $$unit"; $$unit; done

check-built: $(BUILD)/memhp units $(FUZZERS)
	@tools/fuzz.sh replay $(FUZZERS)
	MEMHP_BIN=$(abspath $(BUILD)/memhp) /usr/bin/python3 -m pytest -q -n $(JOBS) $(TESTS)

fuzz:
	@tools/depend.sh $(BUILD_DEPS) $(FUZZ_DEPS)
	@$(MAKE) --no-print-directory CC=clang SAN=1 FUZZ=1 fuzz-built

fuzz-built: $(FUZZERS)
	@tools/fuzz.sh explore $(FUZZERS)

bench:
	@tools/depend.sh $(BUILD_DEPS) $(LAB_DEPS) $(BENCH_DEPS)
	@$(MAKE) --no-print-directory memhp
	@BENCH=$(BENCH) /usr/bin/python3 tools/bench ./memhp $(BENCH_ARGS)

check-login:
	@tools/depend.sh $(BUILD_DEPS) $(LAB_DEPS) $(TEST_DEPS) $(LOGIN_DEPS)
	@$(MAKE) --no-print-directory $(BUILD)/memhp
	MEMHP_LOGIN_VMS=1 MEMHP_BIN=$(abspath $(BUILD)/memhp) /usr/bin/python3 -m pytest -q tests/vm/test_login.py

memcheck:
	@tools/depend.sh $(BUILD_DEPS) $(LAB_DEPS) $(TEST_DEPS) $(MEMCHECK_DEPS)
	@$(MAKE) --no-print-directory $(BUILD)/memhp $(UNITS) $(FUZZERS)
	@tools/memcheck.sh $(abspath $(BUILD)/memhp) $(UNITS) $(FUZZERS)

picture:
	@tools/depend.sh $(BUILD_DEPS) $(LAB_DEPS) python3-pyte
	@$(MAKE) --no-print-directory memhp
	@/usr/bin/python3 tools/picture.py ./memhp lab/memhp-lab docs/memhp.svg

crash:
	@tools/depend.sh $(BUILD_DEPS) $(LAB_DEPS) $(TEST_DEPS)
	@$(MAKE) --no-print-directory $(BUILD)/memhp
	MEMHP_CRASH=1 MEMHP_BIN=$(abspath $(BUILD)/memhp) /usr/bin/python3 -m pytest -q -rP -n $(JOBS) tests/vm/test_crash.py -k every

soak:
	@tools/depend.sh $(BUILD_DEPS) $(LAB_DEPS)
	@$(MAKE) --no-print-directory $(BUILD)/memhp
	@MEMHP_BIN=$(abspath $(BUILD)/memhp) /usr/bin/python3 tools/soak.py $(SOAK_ROUNDS) $(SOAK_SEED)

lint:
	@tools/depend.sh $(BUILD_DEPS) $(LINT_DEPS)
	@$(MAKE) --no-print-directory $(BUILD)/guest-program.h
	@BUILD=$(BUILD) CC=$(CC) tools/lint.sh

install: $(BUILD)/memhp
	install -D -m 755 $(BUILD)/memhp $(DESTDIR)$(BINDIR)/memhp
	install -D -m 755 lab/memhp-lab $(DESTDIR)$(BINDIR)/memhp-lab
	install -d $(DESTDIR)$(DATADIR)/memhp/lab $(DESTDIR)$(MANDIR)/man1
	install -m 644 $(LABDATA) $(DESTDIR)$(DATADIR)/memhp/lab
	install -m 644 man/memhp.1 man/memhp-lab.1 $(DESTDIR)$(MANDIR)/man1
	install -D -m 644 man/memhp.conf.5 $(DESTDIR)$(MANDIR)/man5/memhp.conf.5
	install -D -m 644 completions/memhp.bash $(DESTDIR)$(BASHCOMPDIR)/memhp
	install -D -m 644 completions/_memhp $(DESTDIR)$(ZSHCOMPDIR)/_memhp
	install -D -m 644 completions/memhp.fish $(DESTDIR)$(FISHCOMPDIR)/memhp.fish

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/memhp $(DESTDIR)$(BINDIR)/memhp-lab $(DESTDIR)$(BASHCOMPDIR)/memhp
	rm -f $(DESTDIR)$(ZSHCOMPDIR)/_memhp $(DESTDIR)$(FISHCOMPDIR)/memhp.fish
	rm -f $(DESTDIR)$(MANDIR)/man1/memhp.1 $(DESTDIR)$(MANDIR)/man1/memhp-lab.1
	rm -f $(DESTDIR)$(MANDIR)/man5/memhp.conf.5
	rm -rf $(DESTDIR)$(DATADIR)/memhp

dist:
	git archive --prefix=memhp-$(VERSION)/ -o memhp-$(VERSION).tar.gz HEAD

package-check: dist
	@tools/depend.sh $(BUILD_DEPS) $(PACKAGE_DEPS)
	@tools/package.sh memhp-$(VERSION).tar.gz build/package

clean:
	rm -rf build memhp memhp-*.tar.gz

.PHONY: all demo check check-fast check-login units check-built fuzz fuzz-built bench memcheck picture crash soak lint install uninstall dist package-check clean
.DELETE_ON_ERROR:

-include $(OBJS:.o=.d) $(UNITS:=.d)
