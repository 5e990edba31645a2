/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The numbers of IKE version 1 and 2 and their names, once. Enumerators, log
 * lines and `xipsec decode` all come from these lists.
 * Numbers: RFC 2407, 2408, 2409, 3947, 7296, the IANA registries, and for the
 * private ranges the open specifications of Microsoft's IKE extensions.
 */
#ifndef IKE_WIRE_NAMES_H
#define IKE_WIRE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "ike/wire/buf.h"

/* Versions 1 and 2 use disjoint numbers, so one list serves both. X(NAME, number, text) */
#define IKE_PAYLOADS(X)                                                                            \
	X(NONE, 0, "none")                                                                         \
	X(SA, 1, "SA")                                                                             \
	X(PROPOSAL, 2, "P")                                                                        \
	X(TRANSFORM, 3, "T")                                                                       \
	X(KE, 4, "KE")                                                                             \
	X(ID, 5, "ID")                                                                             \
	X(CERT, 6, "CERT")                                                                         \
	X(CERTREQ, 7, "CERTREQ")                                                                   \
	X(HASH, 8, "HASH")                                                                         \
	X(SIG, 9, "SIG")                                                                           \
	X(NONCE, 10, "NONCE")                                                                      \
	X(NOTIFY, 11, "N")                                                                         \
	X(DELETE, 12, "D")                                                                         \
	X(VID, 13, "VID")                                                                          \
	X(ATTRIBUTES, 14, "ATTR")                                                                  \
	X(NATD, 20, "NAT-D")                                                                       \
	X(NATOA, 21, "NAT-OA")                                                                     \
	X(V2_SA, 33, "SA")                                                                         \
	X(V2_KE, 34, "KE")                                                                         \
	X(V2_IDI, 35, "IDi")                                                                       \
	X(V2_IDR, 36, "IDr")                                                                       \
	X(V2_CERT, 37, "CERT")                                                                     \
	X(V2_CERTREQ, 38, "CERTREQ")                                                               \
	X(V2_AUTH, 39, "AUTH")                                                                     \
	X(V2_NONCE, 40, "NONCE")                                                                   \
	X(V2_NOTIFY, 41, "N")                                                                      \
	X(V2_DELETE, 42, "D")                                                                      \
	X(V2_VID, 43, "V")                                                                         \
	X(V2_TSI, 44, "TSi")                                                                       \
	X(V2_TSR, 45, "TSr")                                                                       \
	X(V2_SK, 46, "SK")                                                                         \
	X(V2_CP, 47, "CP")                                                                         \
	X(V2_EAP, 48, "EAP")                                                                       \
	X(V2_SKF, 53, "SKF")                                                                       \
	X(GSS, 129, "GSS")                                                                         \
	X(NATD_DRAFT, 130, "NAT-D(draft)")                                                         \
	X(NATOA_DRAFT, 131, "NAT-OA(draft)")                                                       \
	X(FRAGMENT, 132, "FRAG")

#define IKE_EXCHANGES(X)                                                                           \
	X(BASE, 1, "base")                                                                         \
	X(MAIN, 2, "main mode")                                                                    \
	X(AUTH_ONLY, 3, "authentication only")                                                     \
	X(AGGRESSIVE, 4, "aggressive mode")                                                        \
	X(INFORMATIONAL, 5, "informational")                                                       \
	X(TRANSACTION, 6, "transaction")                                                           \
	X(QUICK, 32, "quick mode")                                                                 \
	X(NEW_GROUP, 33, "new group mode")                                                         \
	X(V2_SA_INIT, 34, "IKE_SA_INIT")                                                           \
	X(V2_AUTH, 35, "IKE_AUTH")                                                                 \
	X(V2_CREATE_CHILD, 36, "CREATE_CHILD_SA")                                                  \
	X(V2_INFORMATIONAL, 37, "INFORMATIONAL")

/* Notify types of version 1: RFC 2408 3.14.1, RFC 2407 4.6.3, RFC 3706, Microsoft. */
#define IKE_NOTIFIES1(X)                                                                           \
	X(INVALID_PAYLOAD_TYPE, 1, "INVALID-PAYLOAD-TYPE")                                         \
	X(DOI_NOT_SUPPORTED, 2, "DOI-NOT-SUPPORTED")                                               \
	X(SITUATION_NOT_SUPPORTED, 3, "SITUATION-NOT-SUPPORTED")                                   \
	X(INVALID_COOKIE, 4, "INVALID-COOKIE")                                                     \
	X(INVALID_MAJOR_VERSION, 5, "INVALID-MAJOR-VERSION")                                       \
	X(INVALID_MINOR_VERSION, 6, "INVALID-MINOR-VERSION")                                       \
	X(INVALID_EXCHANGE_TYPE, 7, "INVALID-EXCHANGE-TYPE")                                       \
	X(INVALID_FLAGS, 8, "INVALID-FLAGS")                                                       \
	X(INVALID_MESSAGE_ID, 9, "INVALID-MESSAGE-ID")                                             \
	X(INVALID_PROTOCOL_ID, 10, "INVALID-PROTOCOL-ID")                                          \
	X(INVALID_SPI, 11, "INVALID-SPI")                                                          \
	X(INVALID_TRANSFORM_ID, 12, "INVALID-TRANSFORM-ID")                                        \
	X(ATTRIBUTES_NOT_SUPPORTED, 13, "ATTRIBUTES-NOT-SUPPORTED")                                \
	X(NO_PROPOSAL_CHOSEN, 14, "NO-PROPOSAL-CHOSEN")                                            \
	X(BAD_PROPOSAL_SYNTAX, 15, "BAD-PROPOSAL-SYNTAX")                                          \
	X(PAYLOAD_MALFORMED, 16, "PAYLOAD-MALFORMED")                                              \
	X(INVALID_KEY_INFORMATION, 17, "INVALID-KEY-INFORMATION")                                  \
	X(INVALID_ID_INFORMATION, 18, "INVALID-ID-INFORMATION")                                    \
	X(INVALID_CERT_ENCODING, 19, "INVALID-CERT-ENCODING")                                      \
	X(INVALID_CERTIFICATE, 20, "INVALID-CERTIFICATE")                                          \
	X(CERT_TYPE_UNSUPPORTED, 21, "CERT-TYPE-UNSUPPORTED")                                      \
	X(INVALID_CERT_AUTHORITY, 22, "INVALID-CERT-AUTHORITY")                                    \
	X(INVALID_HASH_INFORMATION, 23, "INVALID-HASH-INFORMATION")                                \
	X(AUTHENTICATION_FAILED, 24, "AUTHENTICATION-FAILED")                                      \
	X(INVALID_SIGNATURE, 25, "INVALID-SIGNATURE")                                              \
	X(ADDRESS_NOTIFICATION, 26, "ADDRESS-NOTIFICATION")                                        \
	X(NOTIFY_SA_LIFETIME, 27, "NOTIFY-SA-LIFETIME")                                            \
	X(CERTIFICATE_UNAVAILABLE, 28, "CERTIFICATE-UNAVAILABLE")                                  \
	X(UNSUPPORTED_EXCHANGE_TYPE, 29, "UNSUPPORTED-EXCHANGE-TYPE")                              \
	X(UNEQUAL_PAYLOAD_LENGTHS, 30, "UNEQUAL-PAYLOAD-LENGTHS")                                  \
	X(CONNECTED, 16384, "CONNECTED")                                                           \
	X(RESPONDER_LIFETIME, 24576, "RESPONDER-LIFETIME")                                         \
	X(REPLAY_STATUS, 24577, "REPLAY-STATUS")                                                   \
	X(INITIAL_CONTACT, 24578, "INITIAL-CONTACT")                                               \
	X(R_U_THERE, 36136, "R-U-THERE")                                                           \
	X(R_U_THERE_ACK, 36137, "R-U-THERE-ACK")                                                   \
	X(MS_STATUS, 40003, "MS-STATUS")                                                           \
	X(MS_DOS_COOKIE, 40004, "MS-DOS-COOKIE")                                                   \
	X(MS_EXCHANGE_INFO, 40005, "MS-EXCHANGE-INFO")

/* Notify types of version 2: RFC 7296 3.10.1 and later registrations. */
#define IKE_NOTIFIES2(X)                                                                           \
	X(UNSUPPORTED_CRITICAL_PAYLOAD, 1, "UNSUPPORTED_CRITICAL_PAYLOAD")                         \
	X(INVALID_IKE_SPI, 4, "INVALID_IKE_SPI")                                                   \
	X(INVALID_MAJOR_VERSION, 5, "INVALID_MAJOR_VERSION")                                       \
	X(INVALID_SYNTAX, 7, "INVALID_SYNTAX")                                                     \
	X(INVALID_MESSAGE_ID, 9, "INVALID_MESSAGE_ID")                                             \
	X(INVALID_SPI, 11, "INVALID_SPI")                                                          \
	X(NO_PROPOSAL_CHOSEN, 14, "NO_PROPOSAL_CHOSEN")                                            \
	X(INVALID_KE_PAYLOAD, 17, "INVALID_KE_PAYLOAD")                                            \
	X(AUTHENTICATION_FAILED, 24, "AUTHENTICATION_FAILED")                                      \
	X(SINGLE_PAIR_REQUIRED, 34, "SINGLE_PAIR_REQUIRED")                                        \
	X(NO_ADDITIONAL_SAS, 35, "NO_ADDITIONAL_SAS")                                              \
	X(INTERNAL_ADDRESS_FAILURE, 36, "INTERNAL_ADDRESS_FAILURE")                                \
	X(FAILED_CP_REQUIRED, 37, "FAILED_CP_REQUIRED")                                            \
	X(TS_UNACCEPTABLE, 38, "TS_UNACCEPTABLE")                                                  \
	X(INVALID_SELECTORS, 39, "INVALID_SELECTORS")                                              \
	X(TEMPORARY_FAILURE, 43, "TEMPORARY_FAILURE")                                              \
	X(CHILD_SA_NOT_FOUND, 44, "CHILD_SA_NOT_FOUND")                                            \
	X(INITIAL_CONTACT, 16384, "INITIAL_CONTACT")                                               \
	X(SET_WINDOW_SIZE, 16385, "SET_WINDOW_SIZE")                                               \
	X(ADDITIONAL_TS_POSSIBLE, 16386, "ADDITIONAL_TS_POSSIBLE")                                 \
	X(IPCOMP_SUPPORTED, 16387, "IPCOMP_SUPPORTED")                                             \
	X(NAT_DETECTION_SOURCE_IP, 16388, "NAT_DETECTION_SOURCE_IP")                               \
	X(NAT_DETECTION_DESTINATION_IP, 16389, "NAT_DETECTION_DESTINATION_IP")                     \
	X(COOKIE, 16390, "COOKIE")                                                                 \
	X(USE_TRANSPORT_MODE, 16391, "USE_TRANSPORT_MODE")                                         \
	X(HTTP_CERT_LOOKUP_SUPPORTED, 16392, "HTTP_CERT_LOOKUP_SUPPORTED")                         \
	X(REKEY_SA, 16393, "REKEY_SA")                                                             \
	X(ESP_TFC_PADDING_NOT_SUPPORTED, 16394, "ESP_TFC_PADDING_NOT_SUPPORTED")                   \
	X(NON_FIRST_FRAGMENTS_ALSO, 16395, "NON_FIRST_FRAGMENTS_ALSO")                             \
	X(MOBIKE_SUPPORTED, 16396, "MOBIKE_SUPPORTED")                                             \
	X(MULTIPLE_AUTH_SUPPORTED, 16404, "MULTIPLE_AUTH_SUPPORTED")                               \
	X(REDIRECT_SUPPORTED, 16406, "REDIRECT_SUPPORTED")                                         \
	X(CHILDLESS_IKEV2_SUPPORTED, 16418, "CHILDLESS_IKEV2_SUPPORTED")                           \
	X(FRAGMENTATION_SUPPORTED, 16430, "FRAGMENTATION_SUPPORTED")                               \
	X(SIGNATURE_HASH_ALGORITHMS, 16431, "SIGNATURE_HASH_ALGORITHMS")

/* Identification types, RFC 2407 4.6.2.1 and RFC 7296 3.5. */
#define IKE_ID_TYPES(X)                                                                            \
	X(IPV4, 1, "ipv4")                                                                         \
	X(FQDN, 2, "fqdn")                                                                         \
	X(USER_FQDN, 3, "user-fqdn")                                                               \
	X(IPV4_SUBNET, 4, "ipv4-subnet")                                                           \
	X(IPV6, 5, "ipv6")                                                                         \
	X(IPV6_SUBNET, 6, "ipv6-subnet")                                                           \
	X(IPV4_RANGE, 7, "ipv4-range")                                                             \
	X(IPV6_RANGE, 8, "ipv6-range")                                                             \
	X(DER_DN, 9, "dn")                                                                         \
	X(DER_GN, 10, "gn")                                                                        \
	X(KEY_ID, 11, "key-id")                                                                    \
	X(NULL, 13, "null")

/* Protocols of a proposal, notify or delete in version 1 (RFC 2407 4.4.1). */
#define IKE_PROTOCOLS1(X)                                                                          \
	X(ISAKMP, 1, "isakmp")                                                                     \
	X(AH, 2, "ah")                                                                             \
	X(ESP, 3, "esp")                                                                           \
	X(IPCOMP, 4, "ipcomp")

/* Phase 1 attribute classes, RFC 2409 appendix A; 16384 is the GSS-API draft's. */
#define IKE_ATTRS_P1(X)                                                                            \
	X(CIPHER, 1, "encryption")                                                                 \
	X(HASH, 2, "hash")                                                                         \
	X(AUTH, 3, "authentication")                                                               \
	X(GROUP, 4, "group")                                                                       \
	X(GROUP_TYPE, 5, "group type")                                                             \
	X(GROUP_PRIME, 6, "group prime")                                                           \
	X(GROUP_GEN1, 7, "group generator one")                                                    \
	X(GROUP_GEN2, 8, "group generator two")                                                    \
	X(GROUP_CURVE_A, 9, "group curve A")                                                       \
	X(GROUP_CURVE_B, 10, "group curve B")                                                      \
	X(LIFE_TYPE, 11, "life type")                                                              \
	X(LIFE_DURATION, 12, "life duration")                                                      \
	X(PRF, 13, "prf")                                                                          \
	X(KEY_LENGTH, 14, "key length")                                                            \
	X(FIELD_SIZE, 15, "field size")                                                            \
	X(GROUP_ORDER, 16, "group order")                                                          \
	X(GSS_ID, 16384, "gss identity name")

/* Phase 2 attribute classes, RFC 2407 4.5, RFC 3168, RFC 4304. */
#define IKE_ATTRS_P2(X)                                                                            \
	X(LIFE_TYPE, 1, "life type")                                                               \
	X(LIFE_DURATION, 2, "life duration")                                                       \
	X(GROUP, 3, "group")                                                                       \
	X(ENCAP, 4, "encapsulation mode")                                                          \
	X(AUTH, 5, "authentication algorithm")                                                     \
	X(KEY_LENGTH, 6, "key length")                                                             \
	X(KEY_ROUNDS, 7, "key rounds")                                                             \
	X(COMPRESS_DICT, 8, "compress dictionary size")                                            \
	X(COMPRESS_PRIVATE, 9, "compress private algorithm")                                       \
	X(ECN_TUNNEL, 10, "ecn tunnel")                                                            \
	X(ESN, 11, "extended sequence number")

/* Authentication methods of phase 1. */
#define IKE_AUTHS1(X)                                                                              \
	X(PSK, 1, "psk")                                                                           \
	X(DSS, 2, "dss-sig")                                                                       \
	X(RSA_SIG, 3, "rsa-sig")                                                                   \
	X(RSA_ENC, 4, "rsa-enc")                                                                   \
	X(RSA_REV, 5, "rsa-revised")                                                               \
	X(ECDSA_P256, 9, "ecdsa-p256")                                                             \
	X(ECDSA_P384, 10, "ecdsa-p384")                                                            \
	X(ECDSA_P521, 11, "ecdsa-p521")                                                            \
	X(GSS_OR_XAUTH, 65001, "gss-api or xauth-psk")                                             \
	X(XAUTH_RSA, 65005, "xauth-rsa-sig")

/* Phase 1 ciphers and hashes that are named in reports, ours or not. */
#define IKE_CIPHERS1(X)                                                                            \
	X(DES, 1, "des")                                                                           \
	X(IDEA, 2, "idea")                                                                         \
	X(BLOWFISH, 3, "blowfish")                                                                 \
	X(RC5, 4, "rc5")                                                                           \
	X(TDES, 5, "3des")                                                                         \
	X(CAST, 6, "cast")                                                                         \
	X(AES, 7, "aes")                                                                           \
	X(CAMELLIA, 8, "camellia")

#define IKE_HASHES1(X)                                                                             \
	X(MD5, 1, "md5")                                                                           \
	X(SHA1, 2, "sha1")                                                                         \
	X(TIGER, 3, "tiger")                                                                       \
	X(SHA256, 4, "sha256")                                                                     \
	X(SHA384, 5, "sha384")                                                                     \
	X(SHA512, 6, "sha512")

#define IKE_GROUP_NUMBERS(X)                                                                       \
	X(MODP768, 1, "modp768")                                                                   \
	X(MODP1024, 2, "modp1024")                                                                 \
	X(EC2N155, 3, "ec2n155")                                                                   \
	X(EC2N185, 4, "ec2n185")                                                                   \
	X(MODP1536, 5, "modp1536")                                                                 \
	X(MODP2048, 14, "modp2048")                                                                \
	X(MODP3072, 15, "modp3072")                                                                \
	X(MODP4096, 16, "modp4096")                                                                \
	X(MODP6144, 17, "modp6144")                                                                \
	X(MODP8192, 18, "modp8192")                                                                \
	X(ECP256, 19, "ecp256")                                                                    \
	X(ECP384, 20, "ecp384")                                                                    \
	X(ECP521, 21, "ecp521")                                                                    \
	X(MODP1024_160, 22, "modp1024s160")                                                        \
	X(MODP2048_224, 23, "modp2048s224")                                                        \
	X(MODP2048_256, 24, "modp2048s256")                                                        \
	X(X25519, 31, "x25519")                                                                    \
	X(X448, 32, "x448")

/* ESP transforms, RFC 2407 4.4.4 and the IANA registry. */
#define IKE_ESP_IDS(X)                                                                             \
	X(DES_IV64, 1, "des-iv64")                                                                 \
	X(DES, 2, "des")                                                                           \
	X(TDES, 3, "3des")                                                                         \
	X(RC5, 4, "rc5")                                                                           \
	X(IDEA, 5, "idea")                                                                         \
	X(CAST, 6, "cast")                                                                         \
	X(BLOWFISH, 7, "blowfish")                                                                 \
	X(NULL, 11, "null")                                                                        \
	X(AES_CBC, 12, "aes")                                                                      \
	X(AES_CTR, 13, "aesctr")                                                                   \
	X(AES_CCM8, 14, "aesccm8")                                                                 \
	X(AES_CCM12, 15, "aesccm12")                                                               \
	X(AES_CCM16, 16, "aesccm16")                                                               \
	X(AES_GCM8, 18, "aesgcm8")                                                                 \
	X(AES_GCM12, 19, "aesgcm12")                                                               \
	X(AES_GCM16, 20, "aesgcm16")                                                               \
	X(CAMELLIA, 22, "camellia")                                                                \
	X(NULL_GMAC, 23, "null-gmac")

/* AUTH_ALGORITHM values of phase 2; AH transform numbers are the same from 2 up. */
#define IKE_AUTH_ALGS(X)                                                                           \
	X(NONE, 0, "none")                                                                         \
	X(HMAC_MD5, 1, "md5")                                                                      \
	X(HMAC_SHA1, 2, "sha1")                                                                    \
	X(DES_MAC, 3, "des-mac")                                                                   \
	X(KPDK, 4, "kpdk")                                                                         \
	X(HMAC_SHA256, 5, "sha256")                                                                \
	X(HMAC_SHA384, 6, "sha384")                                                                \
	X(HMAC_SHA512, 7, "sha512")                                                                \
	X(HMAC_RIPEMD, 8, "ripemd")                                                                \
	X(AES_XCBC, 9, "aesxcbc")

/* Encapsulation modes; the last two are the numbers of the NAT traversal draft 02. */
#define IKE_ENCAPS(X)                                                                              \
	X(TUNNEL, 1, "tunnel")                                                                     \
	X(TRANSPORT, 2, "transport")                                                               \
	X(UDP_TUNNEL, 3, "udp-tunnel")                                                             \
	X(UDP_TRANSPORT, 4, "udp-transport")                                                       \
	X(UDP_TUNNEL_DRAFT, 61443, "udp-tunnel(draft)")                                            \
	X(UDP_TRANSPORT_DRAFT, 61444, "udp-transport(draft)")

#define IKE_CERT_ENCODINGS(X)                                                                      \
	X(PKCS7, 1, "pkcs7")                                                                       \
	X(PGP, 2, "pgp")                                                                           \
	X(DNS, 3, "dns")                                                                           \
	X(X509_SIG, 4, "x509-signature")                                                           \
	X(X509_KE, 5, "x509-key-exchange")                                                         \
	X(KERBEROS, 6, "kerberos")                                                                 \
	X(CRL, 7, "crl")                                                                           \
	X(ARL, 8, "arl")                                                                           \
	X(SPKI, 9, "spki")                                                                         \
	X(X509_ATTR, 10, "x509-attribute")                                                         \
	X(RAW_RSA, 11, "raw-rsa")                                                                  \
	X(HASH_URL, 12, "hash-and-url")

/*
 * Vendor ids by name. X(NAME, text, bytes in hex, true = the bytes are a
 * prefix and a version or capability field follows).
 */
#define IKE_VENDORS(X)                                                                             \
	X(NATT_RFC, "NAT-T RFC 3947", "4a131c81070358455c5728f20e95452f", false)                   \
	X(NATT_02N, "NAT-T draft 02", "90cb80913ebb696e086381b5ec427b1f", false)                   \
	X(NATT_02, "NAT-T draft 02 (no newline)", "cd60464335df21f87cfdb2fc68b6a448", false)       \
	X(NATT_03, "NAT-T draft 03", "7d9419a65310ca6f2c179d9215529d56", false)                    \
	X(NATT_00, "NAT-T draft 00", "4485152d18b6bbcd0be8a8469579ddcc", false)                    \
	X(DPD, "dead peer detection", "afcad71368a1f1c96b8696fc77570100", false)                   \
	X(XAUTH, "XAUTH", "09002689dfd6b712", false)                                               \
	X(UNITY, "Cisco Unity", "12f5f28c457168a9702d9fe274cc", true)                              \
	X(FRAGMENTATION, "fragmentation", "4048b7d56ebce88525e7de7f00d6c2d3", true)                \
	X(MS_ISAKMP, "MS NT5 ISAKMPOAKLEY", "1e2b516905991c7d7c96fcbfb587e461", true)              \
	X(GSSAPI, "GSSAPI", "621b04bb09882ac1e15935fefa24aeee", false)                             \
	X(GSSAPI_AUTH, "GSS-API authentication", "ad2c0dd0b9c32083ccba25b8861ec455", false)        \
	X(MS_INITIAL_CONTACT, "Vid-Initial-Contact", "26244d38eddb61b3172a36e3d0cfb819", false)    \
	X(MS_NLB, "NLBS_PRESENT", "72872b95fcda2eb708efe322119b4971", false)                       \
	X(MS_NEGOTIATION, "MS-Negotiation Discovery Capable", "fb1de3cdf341b7ea16b7e5be0855f120",  \
	  false)                                                                                   \
	X(MS_CGA, "IKE CGA version 1", "e3a5966a76379fe707228231e5ce8652", false)                  \
	X(STRONGSWAN, "strongSwan", "882fe56d6fd20dbc2251613b2ebe5beb", false)

#define IKE_X(NAME, number, text) IKE_PAYLOAD_##NAME = number,
enum ike_payload_type { IKE_PAYLOADS(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_EXCHANGE_##NAME = number,
enum ike_exchange { IKE_EXCHANGES(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_N1_##NAME = number,
enum ike_notify1 { IKE_NOTIFIES1(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_N2_##NAME = number,
enum ike_notify2 { IKE_NOTIFIES2(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_ID_##NAME = number,
enum ike_id_type { IKE_ID_TYPES(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_PROTO1_##NAME = number,
enum ike_protocol1 { IKE_PROTOCOLS1(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_ATTR_P1_##NAME = number,
enum ike_attr_p1 { IKE_ATTRS_P1(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_ATTR_P2_##NAME = number,
enum ike_attr_p2 { IKE_ATTRS_P2(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_AUTH1_##NAME = number,
enum ike_auth1 { IKE_AUTHS1(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_ENC1_##NAME = number,
enum ike_cipher1 { IKE_CIPHERS1(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_HASH1_##NAME = number,
enum ike_hash1 { IKE_HASHES1(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_GROUPNO_##NAME = number,
enum ike_group_number { IKE_GROUP_NUMBERS(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_ESP_##NAME = number,
enum ike_esp_id { IKE_ESP_IDS(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_AUTHALG_##NAME = number,
enum ike_auth_alg { IKE_AUTH_ALGS(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_ENCAP_##NAME = number,
enum ike_encap { IKE_ENCAPS(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, number, text) IKE_CERT_##NAME = number,
enum ike_cert_encoding { IKE_CERT_ENCODINGS(IKE_X) };
#undef IKE_X
#define IKE_X(NAME, text, hex, prefix) IKE_VENDOR_##NAME,
enum ike_vendor { IKE_VENDORS(IKE_X) IKE_VENDOR_MAX };
#undef IKE_X

#define IKE_DOI_IPSEC	  1
#define IKE_SIT_IDENTITY  1
#define IKE_TRANSFORM_KEY 1 /* KEY_IKE, the only phase 1 transform */
#define IKE_LIFE_SECONDS  1
#define IKE_LIFE_KB	  2

#define IKE_FLAG1_ENCRYPTED	 0x01
#define IKE_FLAG1_COMMIT	 0x02
#define IKE_FLAG1_AUTHENTICATION 0x04
#define IKE_FLAG2_INITIATOR	 0x08
#define IKE_FLAG2_VERSION	 0x10
#define IKE_FLAG2_RESPONSE	 0x20

/* The text of a number, or NULL when it is not in the list. */
const char *ike_payload_name(uint8_t type);
const char *ike_exchange_name(uint8_t exchange);
const char *ike_notify_name(unsigned major, uint16_t type); /* major 1 or 2 */
const char *ike_id_type_name(uint8_t type);
const char *ike_protocol1_name(uint8_t protocol);
const char *ike_attr_p1_name(uint16_t type);
const char *ike_attr_p2_name(uint16_t type);
const char *ike_auth1_name(uint16_t method);
const char *ike_cipher1_name(uint16_t cipher);
const char *ike_hash1_name(uint16_t hash);
const char *ike_group_name(uint16_t group);
const char *ike_esp_name(uint8_t id);
const char *ike_auth_alg_name(uint16_t alg);
const char *ike_encap_name(uint16_t mode);
const char *ike_cert_encoding_name(uint8_t encoding);

/* "INFO" or, for a number without a name, "N(4711)": always printable, in the caller's buffer. */
#define IKE_NUMBER_TEXT 40
const char *ike_name_or_number(const char *name, unsigned number, char buf[IKE_NUMBER_TEXT]);

/*
 * Which vendor a VID body names. 0 and the vendor, or -ENOENT. ret_rest gets
 * what follows a prefix (a version; empty otherwise) and may be NULL.
 */
int ike_vendor_match(struct wire_slice body, enum ike_vendor *ret, struct wire_slice *ret_rest);
const char *ike_vendor_name(enum ike_vendor vendor);
/* Writes the id's bytes (at most 20) for use in a VID payload; returns how many. */
#define IKE_VENDOR_BYTES 20
size_t ike_vendor_bytes(enum ike_vendor vendor, uint8_t ret[IKE_VENDOR_BYTES]);

#endif
