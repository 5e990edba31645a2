/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside wire/ only: the substructures of both SA payload versions. Proposal
 * and transform headers start alike (RFC 2408 3.5 and 3.6, RFC 7296 3.3.1): a
 * byte that says whether another follows, a reserved byte, a length.
 */
#ifndef IKE_WIRE_SUB_H
#define IKE_WIRE_SUB_H

#include "ike/wire/sa1.h"

/*
 * Cuts the next substructure off *rest. `more` is what its first byte must be when another
 * follows (2 or 3). 1, 0 when rest is empty, -EBADMSG.
 */
int wire_sub_next(struct wire_slice *rest, uint8_t more, size_t min, struct wire_slice *ret,
		  struct wire_error *err);
/* The next proposal; ret_transforms is what stands behind its SPI. 1, 0, -EBADMSG. */
int wire_proposal_next(struct wire_slice *rest, struct wire_proposal *ret,
		       struct wire_slice *ret_transforms, struct wire_error *err);
/* Every attribute's header and length; -EBADMSG also when there are more than WIRE_ATTRS_MAX. */
int wire_attrs_check(struct wire_slice attrs, struct wire_error *err);
/* The validators: structure and counts of a whole SA payload. */
int wire_sa1_check(struct wire_slice body, struct wire_error *err);
int wire_sa2_check(struct wire_slice body, struct wire_error *err);

#endif
