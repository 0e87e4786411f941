/* SPDX-License-Identifier: MIT */
/*
 * fakecert: certificates made on the spot, for tests of TLS.
 */
#ifndef TEST_FAKECERT_H
#define TEST_FAKECERT_H

struct fake_cert {
    char dir[32];
    char certfile[64], keyfile[64], bothfile[64]; /* PEM; bothfile holds the two */
    char fingerprint[100];                        /* SHA-256, AA:BB:... */
};

/* Self-signed, its own CA. dns and ip: subject alternative names, NULL for none. Valid from and until:
 * seconds from now. passphrase: locks the key, NULL: not locked. Fails the test when it cannot. */
void fake_cert_make(struct fake_cert *cert, const char *dns, const char *ip, long from, long until,
                    const char *passphrase);
void fake_cert_remove(struct fake_cert *cert);

#endif
