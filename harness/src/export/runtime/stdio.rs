
type Failure = Box<dyn std::error::Error>;

/// What a message is called in the steps.
fn name(message: &Value) -> String {
    match (message.get("method"), message.get("id")) {
        (Some(method), Some(_)) => format!("request {}", text_of(method).unwrap_or_default()),
        (Some(method), None) => format!("notification {}", text_of(method).unwrap_or_default()),
        (None, id) => format!("answer {}", id.unwrap_or(&Value::Null)),
    }
}

/// A text or a number as a text.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| leaves(element, found)),
        Value::Object(members) => members.values().for_each(|member| leaves(member, found)),
        leaf => found.extend(text_of(leaf)),
    }
}

fn words(text: &str) -> Vec<&str> {
    let outside = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-');
    text.split(outside).filter(|word| !word.is_empty()).collect()
}

/// The word of a text that stands in the place of a recorded one: its number, how many there were, and the text before it.
fn word_now(text: &str, place: &Value) -> Option<String> {
    if words(text).len() as u64 == place[1].as_u64()? {
        return words(text).get(place[0].as_u64()? as usize).map(|word| (*word).to_owned());
    }
    let before = place[2].as_str().filter(|before| !before.is_empty())?;
    let rest = &text[text.find(before)? + before.len()..];
    words(rest).first().filter(|word| rest.starts_with(**word)).map(|word| (*word).to_owned())
}

/// A text in which the values of now stand.
fn fill(parts: &Value, value: &dyn Fn(&Value) -> Result<String, Failure>) -> Result<String, Failure> {
    match parts {
        Value::String(own) => Ok(own.clone()),
        Value::Array(parts) => parts.iter().map(|part| fill(part, value)).collect(),
        part => value(part),
    }
}

/// What was taken out of the recording.
fn env(part: &Value) -> Result<String, Failure> {
    secret(part["env"].as_str().unwrap_or_default())
}

fn secret(name: &str) -> Result<String, Failure> {
    let missing = format!("set the environment variable {name}: its value was taken out of the recording");
    std::env::var(name).map_err(|_| missing.into())
}

/// Plays the steps.
struct Session {
    plan: Value,
    stdin: ChildStdin,
    inbox: Receiver<Value>,
    heard: HashMap<String, Vec<Value>>,
    done: HashSet<u64>,
    missed: HashSet<String>,
    asked: Vec<(Option<u64>, Value, Value)>,
    sent: usize,
    timeout: Duration,
}

impl Session {
    fn play(&mut self) -> Result<(), Failure> {
        let steps = self.plan["steps"].as_array().cloned().unwrap_or_default();
        for (number, step) in (0..).zip(&steps) {
            // Answers go out when they are asked for.
            if step.get("answer").is_none() {
                self.wait_for(step)?;
                self.act(Some(number), step, None)?;
            }
        }
        let end = self.plan["end"].clone();
        self.wait_for(&end)
    }

    fn wait_for(&mut self, step: &Value) -> Result<(), Failure> {
        for (need, list) in [(true, "wait"), (false, "maybe")] {
            for one in step[list].as_array().into_iter().flatten() {
                let (key, nth) = (one[0].as_str().unwrap_or_default(), one[1].as_u64().unwrap_or(0) as usize);
                let time = if need { self.timeout } else { self.timeout.min(Duration::from_secs(2)) };
                // What may not come is not waited for twice.
                if !need && self.missed.contains(key) || self.wait(key, nth, time)? {
                    continue;
                }
                if need {
                    let why = format!("it did not come within {} s, or the server is gone", time.as_secs_f64());
                    return Err(format!("no {key}: {why}").into());
                }
                self.missed.insert(key.to_owned());
            }
        }
        Ok(())
    }

    fn wait(&mut self, key: &str, nth: usize, time: Duration) -> Result<bool, Failure> {
        let until = Instant::now() + time;
        while self.heard.get(key).map_or(0, Vec::len) <= nth {
            let left = until.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(left) {
                Ok(came) => self.hear(came)?,
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    fn hear(&mut self, came: Value) -> Result<(), Failure> {
        println!("<-- {came}");
        let parts = match came {
            Value::Array(parts) => parts,
            one => vec![one],
        };
        for message in parts.into_iter().filter(Value::is_object) {
            let key = name(&message);
            let asks = message.get("method").is_some() && message.get("id").is_some();
            self.heard.entry(key.clone()).or_default().push(message.clone());
            if asks {
                self.ask(&key, &message)?;
            }
        }
        Ok(())
    }

    /// Finds the answer to what the server asks; beyond the recording it is one to the same method.
    fn ask(&mut self, key: &str, message: &Value) -> Result<(), Failure> {
        let known = self.plan["asks"][key].as_array().cloned().unwrap_or_default();
        let number = match known.get(self.heard[key].len() - 1) {
            Some(Value::Null) => return Ok(()),
            Some(number) => number.as_u64(),
            None => known.iter().rev().find_map(Value::as_u64),
        };
        let step = match number {
            Some(number) => self.plan["steps"][number as usize].clone(),
            None if message["method"] == "ping" => json!({"send": {"jsonrpc": "2.0", "id": null, "result": {}}}),
            None => {
                let error = json!({"code": -32601, "message": "the recording has no answer to this"});
                json!({"send": {"jsonrpc": "2.0", "id": null, "error": error}})
            }
        };
        self.asked.push((number, step, message["id"].clone()));
        self.answer()
    }

    fn answer(&mut self) -> Result<(), Failure> {
        loop {
            let done = &self.done;
            let is_due = |step: &Value| step["after"].as_u64().is_none_or(|after| done.contains(&after));
            let Some(at) = self.asked.iter().position(|(_, step, _)| is_due(step)) else { return Ok(()) };
            let (number, step, id) = self.asked.remove(at);
            self.act(number, &step, Some(id))?;
        }
    }

    fn value(&self, part: &Value) -> Result<String, Failure> {
        if part.get("env").is_some() {
            return env(part);
        }
        let was = part["was"].as_str().unwrap_or_default();
        let nth = part["from"][1].as_u64().unwrap_or(0) as usize;
        let came = part["from"][0].as_str().and_then(|key| self.heard.get(key)?.get(nth));
        let mut texts = Vec::new();
        came.into_iter().for_each(|came| leaves(came, &mut texts));
        let stands = |text: &String| text == was || part.get("word").is_some() && words(text).contains(&was);
        if texts.iter().any(stands) {
            return Ok(was.to_owned());
        }
        let found = came.and_then(|came| text_of(came.pointer(part["at"].as_str()?)?));
        let now = match part.get("word") {
            Some(place) => found.and_then(|text| word_now(&text, place)),
            None => found,
        };
        if now.is_none() {
            eprintln!("`{was}` is sent as it was recorded: nothing stands in its place");
        }
        Ok(now.unwrap_or_else(|| was.to_owned()))
    }

    fn body(&self, step: &Value, id: Option<Value>) -> Result<Vec<u8>, Failure> {
        if let Some(bytes) = step["bytes"].as_array() {
            return Ok(bytes.iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect());
        }
        if let Some(text) = step["text"].as_str() {
            return Ok(text.as_bytes().to_vec());
        }
        let mut message = step["send"].clone();
        for (pointer, parts) in step["put"].as_object().into_iter().flatten() {
            let text = fill(parts, &|part| self.value(part))?;
            let place = message.pointer_mut(pointer).ok_or("a step puts a value nowhere")?;
            let number = text.parse::<i64>().ok().filter(|_| place.is_number());
            *place = number.map_or_else(|| text.into(), Value::from);
        }
        if let Some(id) = id {
            message["id"] = id;
        }
        Ok(message.to_string().into_bytes())
    }

    fn act(&mut self, number: Option<u64>, step: &Value, id: Option<Value>) -> Result<(), Failure> {
        while let Ok(came) = self.inbox.try_recv() {
            self.hear(came)?;
        }
        let body = self.body(step, id)?;
        let text = String::from_utf8_lossy(&body);
        // What is no JSON may be anything.
        if step.get("send").is_some() { println!("--> {text}") } else { println!("--> {text:?}") }
        self.stdin.write_all(&[&body[..], b"\n"].concat())?;
        self.stdin.flush()?;
        self.sent += 1;
        self.done.extend(number);
        self.answer()
    }
}

fn main() {
    if let Err(failure) = run() {
        eprintln!("{failure}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Failure> {
    let plan: Value = serde_json::from_str(SESSION)?;
    for name in SECRETS {
        secret(name)?;
    }
    let mut command: Vec<String> = std::env::args().skip(1).collect();
    if command.is_empty() {
        let recorded: Vec<Value> = serde_json::from_str(COMMAND)?;
        command = recorded.iter().map(|word| fill(word, &env)).collect::<Result<_, _>>()?;
    }
    let program = command.first().ok_or("give the server's command as arguments")?;
    let mut server =
        Command::new(program).args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let stdin = server.stdin.take().ok_or("the server has no input")?;
    let stdout = server.stdout.take().ok_or("the server has no output")?;
    let (post, inbox) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            match serde_json::from_slice(&line) {
                Ok(message) => drop(post.send(message)),
                Err(_) => println!("<-- {:?}", String::from_utf8_lossy(&line)),
            }
        }
    });
    let seconds = std::env::var("TIMEOUT").ok().and_then(|text| text.parse().ok()).unwrap_or(30.0);
    let mut session = Session {
        plan,
        stdin,
        inbox,
        heard: HashMap::new(),
        done: HashSet::new(),
        missed: HashSet::new(),
        asked: Vec::new(),
        sent: 0,
        timeout: Duration::from_secs_f64(seconds),
    };
    let played = session.play();
    let answers: usize =
        session.heard.iter().filter(|(key, _)| key.starts_with("answer ")).map(|(_, came)| came.len()).sum();
    let sent = session.sent;
    // The server ends with its input.
    drop(session);
    let until = Instant::now() + Duration::from_secs(10);
    while server.try_wait()?.is_none() {
        if Instant::now() > until || played.is_err() {
            server.kill()?;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    played?;
    println!("{sent} messages sent, {answers} answers came");
    Ok(())
}
