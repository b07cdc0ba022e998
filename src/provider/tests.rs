use super::*;

fn refusal(text: &str) -> String {
    Providers::built_in().extend_from_toml(text, "p.toml", &Catalog::default()).unwrap_err().to_string()
}

const OWN: &str = "[[provider]]\nname = \"mine\"\nbase_url = \"https://mine/v1\"\nkey_variable = \"MY_KEY\"\ndialect = \"openai\"\n\
                   profile = \"steady\"\ndefault_model = \"gpt-4o\"\n[[provider.model]]\nname = \"gpt-4o\"\nown_name = \"x/gpt-4o\"\n";

#[test]
fn every_provider_that_is_compiled_in_is_called_as_it_is_found_and_speaks_as_its_profile() {
    let providers = Providers::built_in();
    assert!(providers.iter().map(|provider| provider.name.as_str()).eq(Providers::built_in_names()));
    for provider in providers.iter() {
        assert_eq!(provider.dialect, provider.profile.dialect());
        let served = provider.models.iter().filter(|offer| offer.is_served);
        let served: Vec<&str> = served.map(|offer| offer.own_name.as_str()).collect();
        assert!(served.iter().all(|own| provider.profile.models().any(|model| model == *own)), "{served:?}");
        assert_eq!(served.len(), provider.profile.models().len(), "{}: what the mock has is offered", provider.name);
    }
}

#[test]
fn a_model_that_is_not_served_is_stood_in_for_by_the_default() {
    let providers = Providers::built_in();
    let asked = |name: &str, model| providers.named(name).map(|provider| provider.asked_for(model)).unwrap();
    assert_eq!((asked("openai", "gpt-4o").offer.own_name.as_str(), asked("openai", "gpt-4o").is_wanted), ("gpt-4o", true));
    assert_eq!(asked("groq", "gpt-4.1").offer.name, "llama-3.3-70b-versatile");
    let gemini = asked("cloudflare", "gemini-2.5-flash");
    assert_eq!((gemini.offer.name.as_str(), gemini.is_wanted), ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", false));
}

#[test]
fn a_file_changes_what_it_says_and_nothing_else() {
    let mut providers = Providers::built_in();
    let text = "[[provider]]\nname = \"groq\"\n[[provider.model]]\nname = \"llama-3.1-8b-instant\"\n\
                price = { input_usd_per_mtok = 1, output_usd_per_mtok = 2, source = \"us\", date = \"2025-11-01\" }\n";
    providers.extend_from_toml(text, "p.toml", &Catalog::default()).unwrap();
    let (groq, before) = (providers.named("groq").unwrap(), Providers::built_in());
    let before = before.named("groq").unwrap();
    assert_eq!(groq.model("llama-3.1-8b-instant").unwrap().quote.as_ref().unwrap().price.output_usd_per_mtok, 2.0);
    assert_eq!((&groq.base_url, &groq.published, &groq.limits), (&before.base_url, &before.published, &before.limits));
    assert_eq!(groq.model("llama-3.3-70b-versatile"), before.model("llama-3.3-70b-versatile"));
}

#[test]
fn a_file_adds_a_provider_that_has_names_of_its_own() {
    let mut providers = Providers::built_in();
    providers.extend_from_toml(OWN, "p.toml", &Catalog::default()).unwrap();
    let mine = providers.named("mine").unwrap();
    assert_eq!((mine.title.as_str(), providers.iter().count()), ("mine", 5));
    assert_eq!(mine.asked_for("gpt-4o").offer.own_name, "x/gpt-4o");
    let catalog = Catalog::default();
    let list = mine.quote("gpt-4o", &catalog).unwrap();
    assert_eq!((list.price.output_usd_per_mtok, list.source.as_str()), (10.0, "OpenAI's price list"));
}

#[test]
fn what_is_wrong_is_refused_with_its_line_and_what_would_be_right() {
    let changed = |from: &str, to: &str| refusal(&OWN.replace(from, to));
    assert!(
        changed("dialect = \"openai\"", "dialect = \"opnai\"")
            .starts_with("p.toml:5: provider.dialect: \"opnai\" is no dialect, did you mean \"openai\"?")
    );
    assert!(
        changed("\"openai\"", "\"groq\"")
            .starts_with("p.toml:5: provider.dialect: the profile \"steady\" speaks \"openai\", and the provider \"groq\"")
    );
    assert!(
        changed("\"steady\"", "\"stedy\"")
            .starts_with("p.toml:6: provider.profile: there is no built-in profile \"stedy\", did you mean \"steady\"?")
    );
    assert!(
        changed("\"steady\"", "\"rate-limited\"")
            .contains("p.toml:6: provider.profile: the profile \"rate-limited\" has limits; write [limits]")
    );
    assert!(
        changed("default_model = \"gpt-4o\"", "default_model = \"gpt\"")
            .starts_with("p.toml:7: provider.default_model: the default model \"gpt\" is not among")
    );
    assert!(
        changed("MY_KEY", "sk-123").starts_with("p.toml:4: provider.key_variable: this is no environment variable")
            && !changed("MY_KEY", "sk-123").contains("sk-123")
    );
    assert!(changed("https://mine/v1", "https://a:b@mine/v1").starts_with("p.toml:3: provider.base_url: a base URL has no user"));
    assert!(changed("\"mine\"", "\"../mine\"").starts_with("p.toml:2: provider.name: \"../mine\" is no name"));
    assert!(
        changed("key_variable = \"MY_KEY\"\n", "")
            .starts_with("p.toml:2: provider.name: the provider's key \"key_variable\" is missing")
    );
    assert!(changed("base_url", "base_ulr").starts_with("p.toml:3: provider.base_ulr: unknown key, did you mean \"base_url\"?"));
    let twice = format!("{OWN}[[provider.model]]\nname = \"gpt-4o\"\n");
    assert_eq!(refusal(&twice), "p.toml:12: provider.model.name: \"gpt-4o\" is offered twice; remove one of them");
    assert!(refusal(&format!("{OWN}{OWN}")).starts_with("p.toml:12: provider.name: a second provider is called \"mine\""));
    assert!(
        refusal(&format!("{OWN}[provider.limits]\nsource = \"x\"\ndate = \"2025\"\n"))
            .contains(":12: provider.limits.source: the profile \"steady\" limits nothing")
    );
    assert_eq!(refusal("provider = []\n"), "p.toml:1: provider: there is no provider; write [[provider]] and a name");
}

#[test]
fn every_price_says_how_much_who_said_so_and_when() {
    let priced = |price: &str| refusal(&format!("{OWN}price = {{ {price} }}\n"));
    let good = "input_usd_per_mtok = 1, output_usd_per_mtok = 2, source = \"us\", date = \"2025\"";
    assert_eq!(
        priced(&good.replace("= 2,", "= -2,")),
        "p.toml:11: provider.model.price.output_usd_per_mtok: -2 is no price; write US dollars for a million tokens, from 0 to 100000"
    );
    assert!(priced(&good.replace("= 1,", "= nan,")).contains("NaN is no price"));
    assert!(priced(&good.replace(", source = \"us\"", "")).ends_with("the key \"source\" is missing"));
    assert!(priced(&good.replace(", date = \"2025\"", "")).ends_with("the key \"date\" is missing"));
    assert!(priced(&good.replace("\"us\"", "\" \"")).contains("provider.model.price.source: \"\" says nothing"));
    for date in ["25", "2025-13", "2025-1", "2025-01-32", "January", "0000"] {
        assert!(priced(&good.replace("\"2025\"", &format!("\"{date}\""))).contains(&format!("\"{date}\" is no date")), "{date}");
    }
}

#[test]
fn a_refused_file_changes_nothing() {
    let mut providers = Providers::built_in();
    assert!(providers.extend_from_toml(&format!("{OWN}{OWN}"), "p.toml", &Catalog::default()).is_err());
    assert_eq!(providers.iter().count(), 4);
}

#[test]
fn an_alias_in_a_file_means_the_model_that_it_stands_for() {
    let mut providers = Providers::built_in();
    let price = "price = { input_usd_per_mtok = 1, output_usd_per_mtok = 2, source = \"us\", date = \"2025\" }\n";
    let alias = "[[provider.model]]\nname = \"claude-sonnet-4.5\"\n";
    let text = format!("[[provider]]\nname = \"holysheep\"\n{alias}{price}");
    let notes = providers.extend_from_toml(&text, "p.toml", &Catalog::default()).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    let relay = providers.named("holysheep").unwrap();
    assert_eq!(relay.models.len(), Providers::built_in().named("holysheep").unwrap().models.len());
    let claude = relay.model("claude-sonnet-4-20250514").unwrap();
    assert_eq!((claude.quote.as_ref().unwrap().price.output_usd_per_mtok, claude.own_name.as_str()), (2.0, claude.name.as_str()));
    // A new provider is asked by the name that its file has.
    let text = OWN.replace("name = \"gpt-4o\"\nown_name = \"x/gpt-4o\"", "name = \"claude-sonnet-4.5\"");
    let text = text.replace("gpt-4o", "claude-sonnet-4.5");
    providers.extend_from_toml(&text, "p.toml", &Catalog::default()).unwrap();
    let mine = providers.named("mine").unwrap().model("claude-sonnet-4-20250514").unwrap();
    assert_eq!(mine.own_name, "claude-sonnet-4.5");
    let twice = format!("{text}{alias}");
    assert!(refusal(&twice).contains("\"claude-sonnet-4.5\" is \"claude-sonnet-4-20250514\", which is offered twice"));
}

#[test]
fn a_model_that_is_called_nearly_as_a_known_one_is_added_with_a_note() {
    let mut providers = Providers::built_in();
    let text = "[[provider]]\nname = \"openai\"\n[[provider.model]]\nname = \"gpt-4.l\"\n[[provider.model]]\nname = \"o3\"\n";
    let notes = providers.extend_from_toml(text, "p.toml", &Catalog::default()).unwrap();
    let note = "p.toml: \"gpt-4.l\" was added to the models of openai; did you mean \"gpt-4.1\", which is unchanged?";
    assert_eq!(notes, [note]);
    assert!(["gpt-4.l", "o3"].iter().all(|name| providers.named("openai").unwrap().model(name).is_some()));
}

#[test]
fn what_was_probably_not_meant_is_refused_with_what_was() {
    let changed = |from: &str, to: &str| refusal(&OWN.replace(from, to));
    assert!(
        refusal("[[provider]]\nname = \"opnai\"\n[[provider.model]]\nname = \"gpt-4o\"\n")
            .starts_with("p.toml:2: provider.name: there is no provider \"opnai\" to change, did you mean \"openai\"?")
    );
    assert!(changed("\"mine\"", "\"all\"").starts_with("p.toml:2: provider.name: \"all\" means all providers"));
    assert!(changed("mine/v1", "mine/v1/chat/completions").ends_with("is the endpoint; the base URL is \"https://mine/v1\""));
    assert!(changed("default_model = \"gpt-4o\"", "default_model = \"x/gpt-4\"").ends_with("did you mean \"x/gpt-4o\"?"));
    let cached = "price = { input_usd_per_mtok = 1, cached_input_usd_per_mtok = 1.5, output_usd_per_mtok = 2, source = \"us\", date = \"2025\" }";
    assert!(refusal(&format!("{OWN}{cached}\n")).contains("cached_input_usd_per_mtok: 1.5 is above the price of input, 1"));
}
