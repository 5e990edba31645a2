/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy as its author wrote it: names resolved, units converted, files
 * read, but nothing expanded. `me` is still `me`, mirrored is still a flag.
 * Everything that can be printed back is kept; docs/xipsec-policy.5 describes
 * the text. Owned as one tree: policy_free() frees all.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xipsec/addr.h>
#include <xipsec/algs.h>
#include <xipsec/diag.h>

/* What IKE can carry (xipsec/ike.h); longer texts are refused with their place. */
#define POL_NAME_MAX	63 /* bytes of a name of a policy, list, action or rule */
#define POL_METHODS_MAX 16
#define POL_AUTH_MAX	8

enum pol_addr_kind {
	POL_ADDR_ANY, /* both families */
	POL_ADDR_ME,
	POL_ADDR_PREFIX, /* a single address is a /32 or /128 */
	POL_ADDR_RANGE,	 /* prefix.addr .. last, same family */
	POL_ADDR_NAME,	 /* DNS name in text */
	POL_ADDR_DNS,
	POL_ADDR_WINS,
	POL_ADDR_DHCP,
	POL_ADDR_GATEWAY,
};

struct pol_addr {
	enum pol_addr_kind kind : 8;
	unsigned line : 24; /* of pol_side.path; 0: it is in the policy itself */
	struct xi_prefix prefix;
	struct xi_addr last;
	char *text; /* POL_ADDR_NAME */
};

/*
 * One side of a filter: a list of addresses, perhaps read from a file. A count of
 * 0 is a file without addresses: it matches nothing.
 */
struct pol_side {
	struct pol_addr *addrs;
	size_t count;
	char *file; /* src-file / dst-file as written, or NULL */
	char *path; /* where that was read from */
	bool port_given;
	uint16_t port_lo, port_hi; /* host order */
};

struct pol_filter {
	struct pol_side src, dst;
	bool proto_given;
	uint8_t proto;
	int icmp_type, icmp_code; /* -1 = not given */
	bool mirrored;
	char *description;   /* or NULL */
	struct diag_loc loc; /* file is owned by struct policy */
};

struct pol_filter_list {
	char *name;
	struct pol_filter *filters;
	size_t count;
	struct diag_loc loc;
};

struct pol_mm_method {
	enum xi_cipher cipher;
	enum xi_integ hash;
	enum xi_group group;
};

/* One entry of negotiate.methods; esp and ah may both be set (AH around ESP). */
struct pol_qm_method {
	bool esp;
	enum xi_cipher cipher;
	enum xi_integ integ; /* NONE for AEAD */
	bool ah;
	enum xi_integ ah_integ;
	uint32_t lifetime_s, lifetime_kb; /* 0 = not given */
	struct diag_loc loc;
};

enum pol_action_kind { POL_ACTION_PERMIT, POL_ACTION_BLOCK, POL_ACTION_NEGOTIATE };

struct pol_action {
	char *name; /* of the filter action; "permit" and "block" are built in */
	enum pol_action_kind kind;
	struct pol_qm_method *methods;
	size_t count;
	enum xi_group pfs;
	bool inbound_passthrough;
	bool fallback_to_clear;
	struct diag_loc loc;
};

enum pol_auth_kind { POL_AUTH_KERBEROS, POL_AUTH_CERT, POL_AUTH_PSK };

struct pol_auth {
	enum pol_auth_kind kind;
	char *psk_file; /* as written; path_* are resolved against the policy file */
	char *cert_ca, *cert, *cert_key;
	char *path_psk, *path_ca, *path_cert, *path_key;
	struct diag_loc loc;
};

enum pol_connection { POL_CONN_ALL, POL_CONN_LAN, POL_CONN_REMOTE_ACCESS };

struct pol_rule {
	char *name;
	size_t filter_list; /* index in policy.filter_lists */
	size_t action;	    /* index in policy.actions */
	struct pol_auth *auth;
	size_t auth_count;
	bool tunnel_given;
	struct xi_addr tunnel;
	enum pol_connection connection;
	uint8_t ike_version; /* 1, 2, 0 = auto */
	bool active;
	struct diag_loc loc;
};

enum pol_datapath { POL_DATAPATH_AUTO, POL_DATAPATH_XFRM, POL_DATAPATH_AFXDP };

struct policy {
	char *name;
	char *file;	/* path it was loaded from */
	int exemptions; /* ipsecexempt 0..3 */
	enum pol_datapath datapath;
	uint32_t poll_interval_s;
	struct pol_mm_method *mm_methods;
	size_t mm_count;
	uint32_t mm_lifetime_s;
	uint32_t mm_quick_modes; /* 0 = no limit */
	bool mm_master_pfs;
	struct pol_filter_list *filter_lists;
	size_t list_count;
	struct pol_action *actions; /* [0] permit, [1] block, then as written */
	size_t action_count;
	struct pol_rule *rules;
	size_t rule_count;
	bool default_response;
	/* Where these stand in the text; no line if they do not. */
	struct {
		struct diag_loc name, exemptions, datapath, poll_interval, quick_modes,
			default_response;
	} at;
};

/*
 * Reads and validates a policy file. Returns 0 and a policy, or -EINVAL (the
 * text is wrong), -errno (it cannot be read); diag says what and where, and may
 * hold warnings on success. Does not need privilege.
 */
int policy_load(const char *path, struct policy **ret, struct diag *diag);
/* The same, but nothing that a reader might have to wait for, such as a FIFO. */
int policy_load_regular(const char *path, struct policy **ret, struct diag *diag);
/* The same from memory; path is used in messages and to resolve relative names. */
int policy_parse(const char *text, size_t len, const char *path, struct policy **ret,
		 struct diag *diag);
/* Canonical text: loads to the same policy again. malloc'ed, or NULL. */
char *policy_print(const struct policy *policy);
/*
 * The same with the names of files as they are from everywhere, provided that the
 * policy was loaded by an absolute path: this text may be kept in another folder.
 */
char *policy_print_absolute(const struct policy *policy);
void policy_free(struct policy *policy);
/* The same apart from where it was read from. */
bool policy_equal(const struct policy *a, const struct policy *b);
/*
 * A policy may ask for more than this version of xipsec carries out. Adds an
 * error where the policy would then be unsafe or mean nothing, a warning where
 * it still protects (another method of a list serves, or something is stricter
 * than asked). Returns 0, or -EOPNOTSUPP: it must not be put in force.
 */
int policy_supported(const struct policy *policy, struct diag *diag);

#endif
