//! The administration API as an operator's program calls it, one connection for each request.
//!
//! Every answer is checked against the OpenAPI document that the server serves.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::Value;

use super::http::{Answer, Http};
use super::server::TestServer;

/// An operator with a token, or without.
pub struct Admin {
    addr: SocketAddr,
    from: IpAddr,
    /// The header `Authorization`, if sent.
    authorization: Option<String>,
    document: Value,
}

/// An answer whose body is JSON, or empty.
#[derive(Debug)]
pub struct Reply {
    pub answer: Answer,
    pub json: Value,
}

/// A token, created by the command line.
#[track_caller]
pub fn token(server: &TestServer, scopes: &str) -> String {
    let made = server.commanded(&["token", "create", "--name", "test", "--scope", scopes, "--json"]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    made["token"].as_str().expect("a token is a text").to_owned()
}

impl Admin {
    /// With a new token of these scopes.
    #[track_caller]
    pub fn with(server: &TestServer, scopes: &str) -> Self {
        let token = token(server, scopes);
        Self::nobody(server).bearing(&token)
    }

    /// Without any token.
    #[track_caller]
    pub fn nobody(server: &TestServer) -> Self {
        let document = serde_json::from_str(&server.admin("/v1/openapi.json").body).expect("JSON");
        let from = Ipv4Addr::LOCALHOST.into();
        Self { addr: server.admin, from, authorization: None, document }
    }

    /// With this token.
    pub fn bearing(self, token: &str) -> Self {
        self.authorized_by(&format!("Bearer {token}"))
    }

    /// With this header.
    pub fn authorized_by(mut self, header: &str) -> Self {
        self.authorization = Some(header.to_owned());
        self
    }

    /// From another address of this machine.
    pub fn from(mut self, address: Ipv4Addr) -> Self {
        self.from = address.into();
        self
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "")
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, body)
    }

    #[track_caller]
    pub fn patch(&self, path: &str, body: &str) -> Reply {
        self.send("PATCH", path, body)
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, "")
    }

    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        let head = self.head(method, path, &format!("Content-Length: {}\r\n", body.len()));
        self.send_bytes(method, path, &format!("{head}{body}"))
    }

    /// A head with these further headers, and the empty line.
    pub fn head(&self, method: &str, path: &str, headers: &str) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}");
        if let Some(authorization) = &self.authorization {
            write!(head, "Authorization: {authorization}\r\n").expect("a String takes any text");
        }
        head.push_str("\r\n");
        head
    }

    /// Sends bytes that may not be a whole request.
    #[track_caller]
    pub fn send_bytes(&self, method: &str, path: &str, request: &str) -> Reply {
        let mut http = Http::connect_from(self.from, self.addr);
        http.try_write(request.as_bytes());
        let answer = http.answer();
        self.expect_documented(method, path, &answer);
        let json = match &*answer.body {
            "" => Value::Null,
            body => serde_json::from_str(body).unwrap_or_else(|_| panic!("not JSON: {body}")),
        };
        Reply { answer, json }
    }

    /// Checks that an answer of a documented operation is documented, with its type.
    #[track_caller]
    fn expect_documented(&self, method: &str, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap_or_default();
        let paths = self.document["paths"].as_object().expect("an object");
        let Some((template, item)) = paths.iter().find(|(template, _)| fits(template, path)) else {
            return;
        };
        let Some(operation) = item.get(method.to_lowercase()) else { return };
        let mut response = &operation["responses"][answer.head.status.to_string()];
        if let Some(reference) = response["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').expect("references stay within the document");
            response = self.document.pointer(pointer).expect("a reference leads somewhere");
        }
        assert!(response.is_object(), "{method} {template} may not answer {answer:?}");
        let documented = response["content"].as_object().and_then(|content| content.keys().next());
        assert_eq!(answer.head.header("content-type"), documented.map(String::as_str), "{method} {template}");
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template.zip(path).all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
}

impl Reply {
    /// Success with this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.answer.head.status, status, "{:?}", self.answer);
        assert_eq!(self.answer.head.header("cache-control"), Some("no-store"));
        self.json
    }

    /// A refusal: problem details of this type with these faults (RFC 9457).
    #[track_caller]
    pub fn refused(&self, status: u16, kind: &str, faults: &[&str]) {
        let head = &self.answer.head;
        assert_eq!(head.status, status, "{:?}", self.answer);
        assert_eq!(head.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.json["status"], status);
        assert_eq!(self.json["type"], format!("urn:fanfare:problem:{kind}"));
        assert!(self.json["title"].is_string());
        assert!(self.json["detail"].as_str().is_some_and(|detail| detail.contains(' ')), "{}", self.json);
        assert_eq!(self.json["faults"], serde_json::json!(faults));
    }

    /// Any header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.answer.head.header(name)
    }
}
