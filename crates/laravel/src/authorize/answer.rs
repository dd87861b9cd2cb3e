//! One request to an application, from the question to the verdict.

use fanfare_outgoing::{Bounds, Client};
use fanfare_protocol::app::{Authorization, Limits};
use hyper::header::LOCATION;

use super::denial::Denial;
use super::request::AuthorizationRequest;
use super::verdict::{Answered, Yes, judge};

/// Asks the application once, and reads its answer.
///
/// # Errors
/// The answer is not a yes, or no answer came.
pub async fn ask(
    client: &Client,
    question: &AuthorizationRequest,
    bounds: Bounds,
    settings: &Authorization,
    limits: &Limits,
) -> Result<Yes, Denial> {
    let request = question.request().ok_or(Denial::NotAUrl)?;
    let response = client.send(request, bounds).await?;
    let location = response.headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let answered =
        Answered { status: response.status.as_u16(), location: location.as_deref(), body: &response.body };
    judge(&answered, question.subject(), settings.must_equal.as_ref(), limits)
}
