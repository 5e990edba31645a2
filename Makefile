# SPDX-License-Identifier: BSD-2-Clause
#
# xipsec: one non-recursive Makefile. Everything built goes to $(O); `make help`
# lists what can be asked for. Reading this file runs nothing but `git describe`,
# so that `make deps` works where no tool is installed yet.

V	?= 0
SAN	?= 0
WERROR	?= 0
ifeq ($(SAN),1)
O	?= .output/asan
else
O	?= .output
endif
DATA	?= ../shared/data
PREFIX	?= /usr
DESTDIR	?=
KERNEL	?=
TEST	?=
CC	= gcc
CLANG	?= clang
PKG	?= pkg-config
# Not that of a repository around an unpacked archive of this.
VERSION	:= $(shell { [ -e .git ] && git describe --tags --always --dirty 2>/dev/null; } || echo 0.1)

ifeq ($(V),1)
Q =
say = @:
else
Q = @
say = @printf '  %-7s %s\n'
endif

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all
all:

# ------------------------------------------------------------------- flags
# Expanded at first use, once: the packages may not be there while this is read.
once	= $(eval $(1) := $$(shell $(2)))$($(1))

# Feature switches come from what is installed; `make SYSTEMD=0` says otherwise.
SYSTEMD	= $(call once,SYSTEMD,$(PKG) --exists libsystemd && echo 1 || echo 0)
LIBS	= libbpf libxdp libcrypto yaml-0.1 jansson libmnl libevent libcap-ng \
	  $(if $(filter 1,$(SYSTEMD)),libsystemd)
# Only the command line uses libpcap, to translate filters; 0 builds without.
PCAP	= $(call once,PCAP,$(PKG) --exists libpcap && echo 1 || echo 0)
PCAP_LIBS = $(if $(filter 1,$(PCAP)),-Wl$(comma)--push-state$(comma)--as-needed -lpcap -Wl$(comma)--pop-state)
comma	= ,
LIB_CFLAGS = $(call once,LIB_CFLAGS,$(PKG) --cflags $(LIBS))
PKG_LIBS   = $(call once,PKG_LIBS,$(PKG) --libs $(LIBS))
LIB_LIBS   = $(PKG_LIBS) $(PCAP_LIBS) -lelf -lz -lpthread
BPFTOOL	?= $(call once,BPFTOOL,PATH=$$$$PATH:/usr/sbin command -v bpftool || echo bpftool)
ARCH_INC = $(call once,ARCH_INC,gcc -print-multiarch)

WARN	= -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wformat=2 \
	  -Wno-unused-parameter -Wno-missing-field-initializers
WARN	+= $(if $(findstring clang,$(CC)),-Wshadow,-Wshadow=local)
ifneq ($(WERROR),0)
WARN	+= -Werror
endif
OPT	?= -O2 -g
CPPFLAGS += -I. -Iinclude -Iuserspace -I$(O) -D_GNU_SOURCE \
	    $(if $(filter 1,$(SYSTEMD)),-DHAVE_SYSTEMD) $(if $(filter 1,$(PCAP)),-DHAVE_PCAP)
CFLAGS	+= -std=gnu11 $(OPT) $(WARN) -fstack-protector-strong -fno-strict-aliasing
LDFLAGS	+= -Wl,-z,relro,-z,now
ifeq ($(SAN),1)
CFLAGS	+= -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS	+= -fsanitize=address,undefined
else
CPPFLAGS += -D_FORTIFY_SOURCE=2
endif
BPF_CFLAGS = -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter \
	     -Wno-address-of-packed-member -Iinclude -Ibpf -I/usr/include/$(ARCH_INC)
ifneq ($(WERROR),0)
BPF_CFLAGS += -Werror
endif

# ------------------------------------------------------------------- files
MAINS	= userspace/cli/xipsec.c userspace/daemon/xipsecd.c
# Only the programs have it, so that another version is one object and two links away.
VERSION_SRC = userspace/util/version.c
SRCS	= $(filter-out $(MAINS) $(VERSION_SRC),$(wildcard userspace/*/*.c ike/*.c ike/*/*.c))
OBJS	= $(SRCS:%.c=$(O)/obj/%.o)
BPF_SRCS = $(wildcard bpf/*.bpf.c)
SKELS	= $(BPF_SRCS:bpf/%.bpf.c=$(O)/skel/%.skel.h)
progs	= $(patsubst %.c,$(O)/%,$(wildcard $(1)))
UNIT	= $(call progs,tests/unit/test_*.c tests/unit/*/test_*.c tests/unit/*/*/test_*.c)
EXCHANGE = $(call progs,tests/exchange/test_*.c)
BPFTEST	= $(call progs,tests/bpf/test_*.c)
TOOLS	= $(call progs,tests/tools/*.c)
FUZZ	= $(call progs,tests/fuzz/fuzz_*.c)
BENCHES	= $(call progs,bench/*.c)
BENCH_FILTER = $(patsubst %.c,$(O)/%,$(filter-out %.bpf.c,$(wildcard bench/filter/*.c)))
PROGS	= $(patsubst %,$(O)/%,$(notdir $(basename $(wildcard $(MAINS)))))

all: $(PROGS) $(TOOLS)

# ------------------------------------------------------------------- rules
$(O)/obj/%.o: %.c | $(SKELS)
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LIB_CFLAGS) -MMD -MP -c $< -o $@

$(O)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(say) BPF $<
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

# The benchmark's own programs: traffic, and the least a filter can do.
$(O)/obj/bench/filter/flood.o: $(O)/skel/flood.skel.h
$(O)/bpf/%.bpf.o: bench/filter/%.bpf.c
	@mkdir -p $(@D)
	$(say) BPF $<
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(O)/skel/%.skel.h: $(O)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$*) > $@

$(O)/libxipsec.a: $(OBJS)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# Looked at by every make, written only when it is another one.
.PHONY: FORCE
$(O)/version: FORCE
	@mkdir -p $(@D)
	@[ "$$(cat $@ 2>/dev/null)" = '$(VERSION)' ] || echo '$(VERSION)' > $@
VERSION_OBJ = $(VERSION_SRC:%.c=$(O)/obj/%.o)
$(VERSION_OBJ): $(VERSION_SRC) $(O)/version
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) -DXIPSEC_VERSION='"$(VERSION)"' $(CFLAGS) -MMD -MP -c $< -o $@

$(O)/xipsec: $(O)/obj/userspace/cli/xipsec.o $(VERSION_OBJ) $(O)/libxipsec.a
$(O)/xipsecd: $(O)/obj/userspace/daemon/xipsecd.o $(VERSION_OBJ) $(O)/libxipsec.a
$(PROGS):
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(O)/libxipsec.a $(LIB_LIBS)

# A test is one file beside tests/lib/, linked with the library.
TESTLIB	= $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/lib/*.c))
$(UNIT) $(EXCHANGE) $(BPFTEST) $(TOOLS) $(BENCHES) $(BENCH_FILTER): $(O)/%: $(O)/obj/%.o $(TESTLIB) $(O)/libxipsec.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(O)/libxipsec.a -lcmocka -llzma $(LIB_LIBS)

# Fuzz targets are built whole with clang: the sources they include are theirs.
# `// FUZZ-SOURCES: a.c b.c`, and // lines right after it, name what it links.
$(O)/tests/fuzz/%: tests/fuzz/%.c $(SRCS) | $(SKELS)
	@mkdir -p $(@D)
	$(say) FUZZ $@
	$(Q)$(CLANG) $(CPPFLAGS) -std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined $(LIB_CFLAGS) $< \
		$$(sed -n '/^.. FUZZ-SOURCES:/,/^[^/]/s,^// *\(FUZZ-SOURCES:\)*,,p' $<) -o $@ $(LIB_LIBS)

-include $(OBJS:.o=.d) $(VERSION_OBJ:.o=.d) $(BPF_SRCS:bpf/%.c=$(O)/bpf/%.d) $(O)/bpf/flood.bpf.d \
	$(patsubst %,$(O)/obj/%.d,$(basename $(wildcard $(MAINS) bench/*.c bench/filter/*.c \
	tests/*/*.c tests/*/*/*.c tests/*/*/*/*.c)))

# ------------------------------------------------------------------- tests
# `objects` compiles everything and links nothing: what the -Werror builds ask for.
.PHONY: tests objects fuzzers unit bpftest
tests: all $(UNIT) $(EXCHANGE) $(BPFTEST)
objects: $(SKELS) $(OBJS) $(VERSION_OBJ) $(BENCH_FILTER:$(O)/%=$(O)/obj/%.o) $(patsubst %.c,$(O)/obj/%.o,$(wildcard $(MAINS) bench/*.c \
	tests/unit/*.c tests/unit/*/*.c tests/unit/*/*/*.c tests/exchange/*.c tests/bpf/*.c \
	tests/tools/*.c tests/lib/*.c))
fuzzers: $(FUZZ)
unit: $(UNIT) $(EXCHANGE)
	$(Q)tests/run.sh unit exchange
bpftest: $(BPFTEST)
	$(Q)tests/run.sh bpf

export O DATA CC CLANG V

# deps comes first and alone, so that what is built after it sees its packages.
# What is only built to be run right away takes all CPUs, unless -j said how many.
jobs = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$$(nproc))

.PHONY: deps check check-data demo bench bench-filter bench-deps fuzz vmtest lint asan
deps:
	$(Q)dist/deps.sh
check: deps
	$(Q)$(MAKE) --no-print-directory $(jobs) tests
	$(Q)tests/run.sh
check-data: deps
	$(Q)$(MAKE) --no-print-directory $(jobs) tests
	$(Q)tests/run.sh data
demo: deps
	$(Q)$(MAKE) --no-print-directory $(jobs) all
	$(Q)tests/demo/demo.sh
bench: $(BENCHES) all
	$(Q)bench/run
bench-filter: $(BENCH_FILTER)
	$(Q)bench/filter/run
bench-deps:
	$(Q)dist/deps.sh bench
fuzz: $(FUZZ)
	$(Q)FUZZ_SECONDS=$${FUZZ_SECONDS:-300} tests/run.sh fuzz
vmtest: deps
	$(Q)$(MAKE) --no-print-directory $(jobs) tests
	$(Q)KERNEL='$(KERNEL)' TEST='$(TEST)' tests/run.sh vm
lint:
	$(Q)tests/run.sh lint
asan:
	$(Q)tests/run.sh asan

# ----------------------------------------------------------------- install
BINDIR	= $(DESTDIR)$(PREFIX)/bin
SBINDIR	= $(DESTDIR)$(PREFIX)/sbin
MANDIR	= $(DESTDIR)$(PREFIX)/share/man
UNITDIR	= $(DESTDIR)$(PREFIX)/lib/systemd/system
USERDIR	= $(DESTDIR)$(PREFIX)/lib/sysusers.d
COMPDIR	= $(DESTDIR)$(PREFIX)/share/bash-completion/completions
EXDIR	= $(DESTDIR)$(PREFIX)/share/doc/xipsec/examples
MAN5	= $(wildcard docs/*.5)
MAN8	= $(wildcard docs/*.8)
UNITS	= $(wildcard dist/systemd/*.service)
EXAMPLES = $(wildcard dist/examples/*)

.PHONY: install uninstall clean help
install: all
	$(Q)install -d $(BINDIR) $(SBINDIR) $(MANDIR)/man5 $(MANDIR)/man8 $(UNITDIR) $(USERDIR) \
		$(COMPDIR) $(EXDIR) $(DESTDIR)/etc/xipsec
	$(Q)install -m 755 $(O)/xipsec $(BINDIR)/
	$(Q)install -m 755 $(O)/xipsecd $(SBINDIR)/
	$(Q)for f in $(MAN5); do install -m 644 $$f $(MANDIR)/man5/; done
	$(Q)for f in $(MAN8); do install -m 644 $$f $(MANDIR)/man8/; done
	$(Q)for f in $(UNITS); do sed 's,/usr/sbin/,$(PREFIX)/sbin/,;s,/usr/bin/,$(PREFIX)/bin/,' $$f \
		> $(UNITDIR)/$${f##*/}; chmod 644 $(UNITDIR)/$${f##*/}; done
	$(Q)install -m 644 dist/systemd/sysusers.conf $(USERDIR)/xipsec.conf
	$(Q)install -m 644 dist/completion/xipsec.bash $(COMPDIR)/xipsec
	$(Q)for f in $(EXAMPLES); do install -m 644 $$f $(EXDIR)/; done
	$(say) INSTALL '$(DESTDIR)$(PREFIX): xipsec xipsecd, manual pages, units, examples'
uninstall:
	$(Q)rm -f $(BINDIR)/xipsec $(SBINDIR)/xipsecd $(COMPDIR)/xipsec \
		$(USERDIR)/xipsec.conf \
		$(patsubst docs/%,$(MANDIR)/man5/%,$(MAN5)) $(patsubst docs/%,$(MANDIR)/man8/%,$(MAN8)) \
		$(patsubst dist/systemd/%,$(UNITDIR)/%,$(UNITS))
	$(Q)rm -rf $(DESTDIR)$(PREFIX)/share/doc/xipsec
	$(say) REMOVE 'what install put there; /etc/xipsec is yours and stays'
clean:
	$(Q)find $(O) -mindepth 1 -maxdepth 1 ! -name vm ! -name apt ! -name peers -exec rm -rf {} + 2>/dev/null || true
distclean:
	$(Q)rm -rf $(O)
.PHONY: distclean

help:
	@echo 'make                 build xipsec and xipsecd in $(O), install nothing'
	@echo 'make deps            install the Debian packages that are missing (root)'
	@echo 'make demo            two hosts, one policy each, real traffic, every claim checked (root)'
	@echo 'make check           deps, build, every test this machine can run (root)'
	@echo 'make check-data DATA=DIR   the tests that read vectors, captures and filter sets, on DIR'
	@echo 'make unit|bpftest|lint|asan   parts of the check'
	@echo 'make vmtest [KERNEL=6.1|6.12] [TEST=name]   the tests that need other kernels, in VMs'
	@echo 'make fuzz [FUZZ_SECONDS=300]   every fuzz target for that long'
	@echo 'make bench [BENCH=name]   figures against peers measured in the same run'
	@echo 'make bench-filter    lookups against nftables, iptables, ipset and xdp-filter (root; make bench-deps)'
	@echo 'make install|uninstall [DESTDIR=] [PREFIX=/usr]'
	@echo 'make clean|distclean   remove what was built | also downloaded kernels and peers'
	@echo
	@echo 'SYSTEMD=0 builds without libsystemd, PCAP=0 without libpcap (default: what pkg-config finds)'
	@echo 'V=1 shows commands; SAN=1 builds with ASan and UBSan in .output/asan; WERROR=1; CC=clang'
