# SPDX-License-Identifier: GPL-3.0-or-later
#
#   make              build memhp
#   make demo         install what is missing, boot a lab VM, plug, use and unplug 512M
#   make check        install what is missing, run all tests
#   make lint         static analysis, shell checks, include rows
#   make install      PREFIX=/usr/local DESTDIR=
#
# SAN=1 builds with ASan and UBSan, WERROR=1 makes warnings errors, V=1 shows commands.

VERSION := 0.1.0

PREFIX      ?= /usr/local
BINDIR      ?= $(PREFIX)/bin
DATADIR     ?= $(PREFIX)/share
MANDIR      ?= $(DATADIR)/man
BASHCOMPDIR ?= $(DATADIR)/bash-completion/completions
PKG_CONFIG  ?= pkg-config
CFLAGS      ?= -O2 -g

# Each build flavour has its own objects: switching never mixes them.
BUILD ?= build/$(notdir $(CC))$(if $(SAN),-san)

# Rows of the architecture, lowest first: a file includes only what stands before it (make lint checks).
ROWS := err util size deadline json opt out wire frame \
	qmp guest-serial guest-process guest \
	machine verdict sysfs vm \
	hotplug hotplug-release hotplug-plug hotplug-unplug hotplug-change \
	cmd cmd-plug cmd-unplug cmd-change cmd-list cmd-status cmd-qmp \
	memhp
OBJS := $(ROWS:%=$(BUILD)/%.o)

override CPPFLAGS += -D_GNU_SOURCE -DMEMHP_VERSION='"$(VERSION)"' -I$(BUILD) \
	$(shell $(PKG_CONFIG) --cflags json-c 2>/dev/null)
override CFLAGS += -std=gnu11 -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla \
	-Wwrite-strings -Wformat=2 -Wpointer-arith -Wundef -fstack-protector-strong -fPIE \
	$(if $(WERROR),-Werror) \
	$(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer,\
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
override LDFLAGS += -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=address$(comma)undefined)
override LDLIBS += $(shell $(PKG_CONFIG) --libs json-c 2>/dev/null || echo -ljson-c)
comma := ,

ifneq ($(V),1)
say = @echo "  $(1)  $(2)";
endif

all: memhp

memhp: $(BUILD)/memhp
	$(call say,COPY,$@)cp $< $@

$(BUILD)/memhp: $(OBJS)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJS) $(LDLIBS)

$(BUILD)/%.o: %.c Makefile | $(BUILD)
	$(call say,CC  ,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/guest.o: $(BUILD)/guest-program.h

$(BUILD)/guest-program.h: guest.sh program.awk Makefile | $(BUILD)
	$(call say,AWK ,$@)awk -f program.awk guest.sh >$@.new && mv $@.new $@

$(BUILD):
	@mkdir -p $@

-include $(OBJS:.o=.d)
