//! The OpenAPI 3.1 description of the operators' listener, as served.
//!
//! Written by hand; tests compare the document with the routes and with the settings.

/// The document.
pub(super) const TEXT: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fanfare_apps::{
        LIMIT_RANGES, LONGEST_FEED_PREFIX, MAX_CONNECTIONS, MESSAGE_QUOTA, MOST_CHANNEL_PREFIXES,
        MOST_WEBHOOKS, RESUME_SECONDS, Scope, WebhookSettings,
    };
    use fanfare_protocol::webhook::Kind;
    use serde_json::{Value, json};

    use super::*;
    use crate::admin::routes;

    const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

    const DEFAULTS: &str = include_str!("../../../../config/default.toml");

    fn document() -> Value {
        serde_json::from_str(TEXT).unwrap()
    }

    /// Path, method and operation.
    fn operations(document: &Value) -> Vec<(String, String, Value)> {
        let paths = document["paths"].as_object().unwrap();
        let items = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods
                .filter(|(name, _)| METHODS.contains(&name.as_str()))
                .map(move |(method, operation)| (path.clone(), method.to_uppercase(), operation.clone()))
        });
        items.collect()
    }

    #[test]
    fn every_route_is_in_the_document_and_the_other_way_round() {
        let in_document: BTreeSet<(String, String)> =
            operations(&document()).into_iter().map(|(path, method, _)| (path, method)).collect();
        let in_router: BTreeSet<(String, String)> = routes::all()
            .into_iter()
            .map(|(method, path, _)| (path.to_owned(), method.to_string()))
            .collect();
        assert_eq!(in_document, in_router);
    }

    #[test]
    fn each_operation_names_the_scope_that_it_needs() {
        let document = document();
        for (method, path, action) in routes::all() {
            if action.is_about_the_session() {
                continue;
            }
            let needed = &document["paths"][path][method.as_str().to_lowercase()]["security"];
            let token = |scope: Scope| json!({ "token": [scope.as_str()] });
            let one = action.scope(false);
            let wanted = match (path.starts_with("/v1/") && path != "/v1/openapi.json", action.scope(true)) {
                (false, _) => json!([]),
                (true, other) if other == one => json!([token(one)]),
                (true, other) => json!([token(one), token(other)]),
            };
            assert_eq!(needed, &wanted, "{method} {path}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_no_component_is_left_over() {
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in &found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        for kind in ["parameters", "schemas", "responses"] {
            for name in document["components"][kind].as_object().unwrap().keys() {
                assert!(found.contains(&format!("#/components/{kind}/{name}")), "{kind} {name}");
            }
        }
    }

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    /// The schema of a setting without what is for people alone.
    fn without_words(schema: &Value) -> Value {
        let mut schema = schema.clone();
        if let Some(object) = schema.as_object_mut() {
            for for_people in ["default", "description", "x-group"] {
                object.remove(for_people);
            }
        }
        schema
    }

    #[test]
    fn the_settings_are_those_that_there_are_with_their_ranges() {
        let document = document();
        let settings = &document["components"]["schemas"]["Settings"]["properties"];
        let number = |least: &usize, most: &usize| json!({ "type": ["integer", "null"], "minimum": least, "maximum": most });
        let max_connections = without_words(&settings["max_connections"]);
        assert_eq!(max_connections, number(MAX_CONNECTIONS.start(), MAX_CONNECTIONS.end()));
        for quota in ["messages_per_second", "messages_per_day"] {
            let expected = number(MESSAGE_QUOTA.start(), MESSAGE_QUOTA.end());
            assert_eq!(without_words(&settings[quota]), expected, "{quota}");
        }
        let resume = &settings["resume_seconds"];
        assert_eq!(
            (&resume["minimum"], &resume["maximum"]),
            (&json!(RESUME_SECONDS.start()), &json!(RESUME_SECONDS.end()))
        );
        let known =
            serde_json::from_str::<fanfare_apps::AppSettings>(r#"{"zzz":1}"#).unwrap_err().to_string();
        let known: BTreeSet<&str> = known.split('`').skip(3).step_by(2).collect();
        assert_eq!(settings.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>(), known);
        let limits = settings["limits"]["properties"].as_object().unwrap();
        assert_eq!(limits.len(), LIMIT_RANGES.len());
        for (name, range) in LIMIT_RANGES {
            let mut expected = number(range.start(), range.end());
            if name.ends_with("_seconds") {
                // A time is a text with a unit as well.
                expected["type"] = json!(["integer", "string", "null"]);
            }
            assert_eq!(without_words(&limits[*name]), expected, "{name}");
            let built_in = format!("\n{name} = {}\n", limits[*name]["default"]);
            assert!(DEFAULTS.contains(&built_in), "{name}");
            assert!(limits[*name]["description"].is_string(), "{name}");
        }
        let authorization = settings["authorization"]["properties"].as_object().unwrap();
        let known: BTreeSet<&str> = fanfare_apps::AuthorizationSettings::NAMES.into();
        assert_eq!(authorization.keys().map(String::as_str).collect::<BTreeSet<_>>(), known);
        let feed = settings["redis_feed"]["properties"].as_object().unwrap();
        assert_eq!(feed.keys().collect::<Vec<_>>(), ["prefix", "url"]);
        assert_eq!(feed["prefix"]["maxLength"], LONGEST_FEED_PREFIX);
        let webhooks = &settings["webhooks"];
        assert_eq!(webhooks["maxItems"], MOST_WEBHOOKS);
        let webhook = webhooks["items"]["properties"].as_object().unwrap();
        let known: BTreeSet<&str> = WebhookSettings::NAMES.into();
        assert_eq!(webhook.keys().map(String::as_str).collect::<BTreeSet<_>>(), known);
        assert_eq!(webhook["channel_prefixes"]["maxItems"], MOST_CHANNEL_PREFIXES);
        assert_eq!(webhook["events"]["items"]["enum"], json!(Kind::ALL.map(Kind::name)));
        for (name, schema) in settings.as_object().unwrap() {
            let value = match schema["type"][0].as_str() {
                Some("boolean") => json!(true),
                Some("integer") => json!(1),
                Some("array") => json!([]),
                _ => json!({}),
            };
            let given = json!({ name: value });
            assert!(serde_json::from_value::<fanfare_apps::AppSettings>(given).is_ok(), "{name}");
        }
    }
}
