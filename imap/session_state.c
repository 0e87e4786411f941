/* SPDX-License-Identifier: MIT */
/* What a session tells of itself, and how it goes on where the transport beneath it has changed. */
#include "session_internal.h"

/* ---- STARTTLS, COMPRESS ------------------------------------------------------------------------- */

enum imap_status imap_session_tls_started(struct imap_session *session, struct imap_error *err)
{
    struct imap_error why;
    if (session->pause == IMAP_PAUSE_TLS && imap_frame_idle(&session->frame)) {
        session->pause = IMAP_PAUSE_NONE;
        /* everything learnt in the clear may be forged */
        imap_caps_clear(&session->caps);
        imap_caps_clear(&session->enabled);
        session->caps_known = false;
        return IMAP_OK;
    }
    if (session->pause == IMAP_PAUSE_TLS || session->pause == IMAP_PAUSE_TLS_INTRUDED)
        imap_error_set(&why, IMAP_PROTO, "the server sent more after its OK to STARTTLS: injected commands?");
    else
        imap_error_set(&why, IMAP_USAGE, "STARTTLS was not agreed upon");
    if (err)
        *err = why;
    if (why.status == IMAP_PROTO)
        imap_session_die(session, IMAP_PROTO, &why);
    return why.status;
}

enum imap_status imap_session_compress_started(struct imap_session *session, const void **rest_out,
                                               size_t *len_out, struct imap_error *err)
{
    *rest_out = NULL;
    *len_out = 0;
    if (session->pause != IMAP_PAUSE_COMPRESS)
        return imap_error_set(err, IMAP_USAGE, "COMPRESS was not agreed upon");
    session->pause = IMAP_PAUSE_NONE;
    if (session->behind.len > 0) {
        *rest_out = session->behind.data;
        *len_out = session->behind.len;
    }
    return IMAP_OK;
}

/* ---- what it knows ------------------------------------------------------------------------------ */

enum imap_state imap_session_state(const struct imap_session *session)
{
    return session->state;
}

const struct imap_error *imap_session_fate(const struct imap_session *session)
{
    return &session->fate;
}

const char *imap_session_welcome(const struct imap_session *session)
{
    return session->welcome ? session->welcome : "";
}

const struct imap_caps *imap_session_caps(const struct imap_session *session)
{
    return &session->caps;
}

bool imap_session_caps_known(const struct imap_session *session)
{
    return session->caps_known;
}

const struct imap_caps *imap_session_enabled(const struct imap_session *session)
{
    return &session->enabled;
}

bool imap_session_utf8(const struct imap_session *session)
{
    return imap_caps_has(&session->enabled, IMAP_CAP_UTF8_ACCEPT) ||
           imap_caps_has(&session->enabled, IMAP_CAP_IMAP4REV2);
}

const struct imap_selected *imap_session_selected(const struct imap_session *session)
{
    return &session->selected;
}

uint32_t imap_session_uid(const struct imap_session *session, uint32_t seq)
{
    /* the map only notes where it looked */
    return imap_msgmap_uid((struct imap_msgmap *)&session->map, seq);
}

size_t imap_session_pending(const struct imap_session *session)
{
    return session->queue.count + session->flight.count;
}

size_t imap_session_in_flight(const struct imap_session *session)
{
    return session->flight.count;
}

bool imap_session_idling(const struct imap_session *session)
{
    return session->idle && session->idle_begun && !session->idle_ended;
}
