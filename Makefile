# SPDX-License-Identifier: BSD-2-Clause
#
# xipsec: one non-recursive Makefile. Everything built goes to $(O).
#   make            build, install nothing        make check   build and run every test
#   make deps       install what is missing       make demo    two hosts, one policy, real traffic
#   make help       the rest

O	?= .output
V	?= 0
DATA	?= ../shared/data
PREFIX	?= /usr
DESTDIR	?=
CC	= gcc
CLANG	?= clang
BPFTOOL	?= $(shell PATH=$$PATH:/usr/sbin command -v bpftool || echo /usr/sbin/bpftool)
PKG	?= pkg-config
VERSION	:= $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1)
SAN	?= 0
WERROR	?= 0

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
LIBS	= libbpf libxdp libcrypto yaml-0.1 jansson libmnl libevent libseccomp libcap-ng libsystemd
WARN	= -Wall -Wextra -Wshadow=local -Wstrict-prototypes -Wmissing-prototypes \
	  -Wpointer-arith -Wformat=2 -Wno-unused-parameter -Wno-missing-field-initializers
ifeq ($(CC),clang)
WARN	:= $(subst -Wshadow=local,-Wshadow,$(WARN))
endif
ifneq ($(WERROR),0)
WARN	+= -Werror
endif
OPT	?= -O2 -g
CPPFLAGS += -I. -Iinclude -Iuserspace -I$(O) -D_GNU_SOURCE -DXIPSEC_VERSION='"$(VERSION)"'
CFLAGS	+= -std=gnu11 $(OPT) $(WARN) -fstack-protector-strong -fno-strict-aliasing
LDFLAGS	+= -Wl,-z,relro,-z,now
ifeq ($(SAN),1)
CFLAGS	+= -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS	+= -fsanitize=address,undefined
else
CPPFLAGS += -D_FORTIFY_SOURCE=2
endif
# Not asked at parse time of `make deps`: the packages may not be there yet.
LIB_CFLAGS = $(shell $(PKG) --cflags $(LIBS))
LIB_LIBS   = $(shell $(PKG) --libs $(LIBS)) -lelf -lz -lpthread
BPF_CFLAGS = -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter \
	     -Wno-address-of-packed-member -Iinclude -Ibpf -I/usr/include/$(shell uname -m)-linux-gnu

# ------------------------------------------------------------------- files
MAINS	= userspace/cli/xipsec.c userspace/daemon/xipsecd.c
SRCS	= $(filter-out $(MAINS),$(wildcard userspace/*/*.c ike/*.c ike/*/*.c))
OBJS	= $(SRCS:%.c=$(O)/obj/%.o)
BPF_SRCS = $(wildcard bpf/*.bpf.c)
SKELS	= $(BPF_SRCS:bpf/%.bpf.c=$(O)/skel/%.skel.h)
UNIT	= $(patsubst %.c,$(O)/%,$(wildcard tests/unit/test_*.c tests/unit/*/test_*.c \
	  tests/unit/*/*/test_*.c tests/exchange/test_*.c))
BPFTEST	= $(patsubst %.c,$(O)/%,$(wildcard tests/bpf/test_*.c))
TOOLS	= $(patsubst %.c,$(O)/%,$(wildcard tests/tools/*.c))
FUZZ	= $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))
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

$(O)/skel/%.skel.h: $(O)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$*) > $@

$(O)/libxipsec.a: $(OBJS)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/xipsec: $(O)/obj/userspace/cli/xipsec.o $(O)/libxipsec.a
$(O)/xipsecd: $(O)/obj/userspace/daemon/xipsecd.o $(O)/libxipsec.a
$(PROGS):
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(O)/libxipsec.a $(LIB_LIBS)

# A test is one file beside tests/lib/, linked with the library.
TESTLIB	= $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/lib/*.c))
$(UNIT) $(BPFTEST) $(TOOLS): $(O)/tests/%: $(O)/obj/tests/%.o $(TESTLIB) $(O)/libxipsec.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(O)/libxipsec.a -lcmocka -llzma $(LIB_LIBS)

# Fuzz targets are built whole with clang: the sources they include are theirs.
# `// FUZZ-SOURCES: a.c b.c` in the target names what it links.
$(O)/tests/fuzz/%: tests/fuzz/%.c $(SRCS) | $(SKELS)
	@mkdir -p $(@D)
	$(say) FUZZ $@
	$(Q)$(CLANG) $(CPPFLAGS) -std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined $(LIB_CFLAGS) $< \
		$$(sed -n 's,^// FUZZ-SOURCES:,,p' $<) -o $@ $(LIB_LIBS)

-include $(OBJS:.o=.d) $(patsubst %,$(O)/obj/%.d,$(basename $(wildcard $(MAINS)) \
	$(wildcard tests/*/*.c tests/*/*/*.c tests/*/*/*/*.c))) \
	$(BPF_SRCS:bpf/%.c=$(O)/bpf/%.d)

# ------------------------------------------------------------------- tests
.PHONY: unit bpftest clean
unit: $(UNIT)
	$(Q)rc=0; for t in $(UNIT); do echo "# $$t"; XI_DATA=$(DATA) $$t || rc=1; done; exit $$rc
bpftest: $(BPFTEST)
	$(Q)rc=0; for t in $(BPFTEST); do echo "# $$t"; XI_DATA=$(DATA) $$t || rc=1; done; exit $$rc
clean:
	$(Q)rm -rf $(O)
