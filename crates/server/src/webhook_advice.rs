//! What to do where a webhook fails, in a sentence for whoever runs the receiver.

use fanfare_webhooks::{Delivery, DeliveryCause};

/// The advice for a failed delivery; `None` where there is none, or the delivery succeeded.
#[must_use]
pub fn advice(delivery: &Delivery) -> Option<&'static str> {
    Some(match delivery.cause? {
        DeliveryCause::Status => return delivery.status.and_then(about_status),
        DeliveryCause::Redirect => {
            "Set the URL that answers itself: often https in place of http, one slash more or fewer at the end, or a route \
             outside the login's middleware."
        }
        DeliveryCause::NameNotFound => {
            "The server's machine finds no address for this name: see to its spelling and to the machine's DNS; among \
             containers the name is that of the service."
        }
        DeliveryCause::Refused => {
            "Nothing listens at this address and port, seen from the server's machine: does the receiver run? Within a \
             container, localhost is the container itself."
        }
        DeliveryCause::Unreachable => {
            "There is no way to this address from the server's machine: see to its network and firewalls."
        }
        DeliveryCause::ForbiddenAddress => {
            "Apps of this server may only reach public addresses; apps.allow_private = true lets all of them reach \
             private ones, too."
        }
        DeliveryCause::CertificateExpired => {
            "Renew the receiver's certificate, or set the clock of the server's machine if that is wrong."
        }
        DeliveryCause::CertificateUnknownIssuer => {
            "If it is of a public authority, the receiver must send the whole chain (fullchain.pem, not cert.pem). If it is \
             your own, name its authority in webhooks.ca_file."
        }
        DeliveryCause::CertificateWrongName => {
            "Use a host that the certificate is for, or get a certificate for this host."
        }
        DeliveryCause::Certificate => {
            "Get a certificate of a public authority, or make one as docs/tls.md shows."
        }
        DeliveryCause::Tls => {
            "Does this port speak TLS? If it speaks plain HTTP, the URL begins with http://."
        }
        DeliveryCause::TimedOut => {
            "Answer at once and do the work afterwards, in a queue; or a firewall on the way drops packets without a word. \
             webhooks.timeout is how long an answer is waited for."
        }
        DeliveryCause::Broken => {
            "The receiver has hung up, or does not speak HTTP/1.1 here; if the port speaks TLS, the URL begins with https://."
        }
        DeliveryCause::Crowded => {
            "Many webhooks of this server are slow at the moment; webhooks.requests is how many may be under way."
        }
        DeliveryCause::TooLate | DeliveryCause::Other => return None,
    })
}

const fn about_status(status: u16) -> Option<&'static str> {
    Some(match status {
        400 | 415 | 422 => {
            "The receiver does not take the body: it must read JSON, and this event name as any other."
        }
        401 | 403 => {
            "Most likely the receiver finds the signature wrong: it must be compared with the HMAC-SHA256 of the raw body \
             under the secret of the key in X-Pusher-Key, and the route must be outside a login's middleware."
        }
        404 => "The receiver has nothing at this path: compare the URL with its routes.",
        405 => "The receiver's route does not take POST.",
        419 => {
            "Laravel wants a CSRF token: put the route into routes/api.php, or exempt it (validateCsrfTokens(except: …), \
             VerifyCsrfToken::$except up to Laravel 10)."
        }
        429 => "The receiver limits how often it is called: exempt this route.",
        502..=504 => "A proxy answers in the receiver's place: does the receiver run behind it?",
        500..=599 => "The receiver has failed: look into its own log.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::webhook::EventNames;

    use super::*;

    #[test]
    fn con_054_each_status_and_cause_that_can_be_mended_has_its_advice() {
        let about = |cause, status| {
            advice(&Delivery {
                number: 1,
                at: 0,
                request: None,
                names: EventNames::of("channel_occupied"),
                events: 1,
                attempt: 1,
                test: true,
                status,
                cause,
                text: Box::default(),
                took: 0,
                again: false,
                answer: None,
                is_kept: false,
            })
        };
        for (status, says) in [
            (419, "CSRF"),
            (401, "HMAC-SHA256"),
            (403, "HMAC-SHA256"),
            (404, "path"),
            (405, "POST"),
            (500, "log"),
            (503, "proxy"),
        ] {
            let told = about(Some(DeliveryCause::Status), Some(status)).unwrap_or_default();
            assert!(told.contains(says), "{status}: {told}");
        }
        assert_eq!(about(Some(DeliveryCause::Status), Some(304)), None);
        assert_eq!(about(None, Some(200)), None);
        assert!(
            about(Some(DeliveryCause::CertificateUnknownIssuer), None)
                .is_some_and(|told| told.contains("ca_file"))
        );
        assert!(
            about(Some(DeliveryCause::ForbiddenAddress), None)
                .is_some_and(|told| told.contains("allow_private"))
        );
    }
}
