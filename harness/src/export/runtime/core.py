

def stop(sentence):
    """Ends the program as a failure."""
    print(sentence, file=sys.stderr, flush=True)
    os._exit(1)


def secret(name):
    """What was taken out of the recording."""
    if name not in os.environ:
        stop("set the environment variable %s: its value was taken out of the recording" % name)
    return os.environ[name]


def say(arrow, what):
    print(arrow, what, flush=True)


def name(message):
    """What a message is called in the steps."""
    if "method" in message:
        return ("request " if "id" in message else "notification ") + str(message["method"])
    return "answer " + json.dumps(message.get("id"), ensure_ascii=False)


def leaves(value):
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield str(value)


def words(text):
    return re.findall(r"[A-Za-z0-9_-]+", text)


def reach(value, pointer):
    """What is at a JSON pointer; None where nothing is."""
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def word_now(text, index, count, before):
    """The word of a text that stands in the place of a recorded one."""
    if len(words(text)) == count:
        return words(text)[index]
    start = text.find(before) + len(before) if before and before in text else len(text)
    found = re.match(r"[A-Za-z0-9_-]+", text[start:])
    return found and found.group()


class Session:
    """Plays the steps of one session."""

    def __init__(self, plan):
        self.plan, self.id, self.endpoint = plan, None, None
        self.heard, self.done, self.asked, self.missed = {}, set(), [], set()
        self.inbox, self.gone, self.sent = queue.Queue(), None, 0
        self.link = Link(self)

    def play(self):
        for number, step in enumerate(self.plan["steps"]):
            # Answers go out when they are asked for.
            if "answer" not in step:
                self.wait_for(step)
                self.do(number, step)
        self.wait_for(self.plan["end"])
        self.link.close()

    def wait_for(self, step):
        for key, nth in step.get("wait", []):
            if not self.wait(key, nth, TIMEOUT):
                why = self.gone or "nothing came within %g s" % TIMEOUT
                stop("no %s: %s" % (key, why))
        for key, nth in step.get("maybe", []):
            # What may not come is not waited for twice.
            if key not in self.missed and not self.wait(key, nth, min(TIMEOUT, 2)):
                self.missed.add(key)

    def wait(self, key, nth, seconds):
        until = time.monotonic() + seconds
        while len(self.heard.get(key, [])) <= nth:
            left = until - time.monotonic()
            if left <= 0 or not self.take(left):
                return False
        return True

    def take(self, seconds):
        """Takes in one message; False where none comes."""
        try:
            if self.gone and self.inbox.empty():
                return False
            came = self.inbox.get(timeout=seconds) if seconds else self.inbox.get_nowait()
        except queue.Empty:
            return False
        if isinstance(came, str):
            self.gone = came
        else:
            self.hear(came)
        return True

    def hear(self, came):
        say("<--", json.dumps(came))
        for message in came if isinstance(came, list) else [came]:
            if not isinstance(message, dict):
                continue
            key = name(message)
            self.heard.setdefault(key, []).append(message)
            if "method" in message and "id" in message:
                self.ask(key, message)

    def ask(self, key, message):
        """Finds the answer to what the server asks; beyond the recording it is one to the same method."""
        known, nth = self.plan["asks"].get(key, []), len(self.heard[key]) - 1
        if nth < len(known) and known[nth] is None:
            return
        answered = known[nth:nth + 1] or [number for number in known if number is not None]
        if answered:
            number, step = answered[-1], self.plan["steps"][answered[-1]]
        else:
            result = {"result": {}}
            error = {"error": {"code": -32601, "message": "the recording has no answer to this"}}
            own = dict({"jsonrpc": "2.0", "id": None}, **(result if message["method"] == "ping" else error))
            number, step = None, dict(self.plan["own"], send=own)
        self.asked.append((number, step, message["id"]))
        self.answer()

    def answer(self):
        for entry in list(self.asked):
            number, step, id = entry
            if entry in self.asked and ("after" not in step or step["after"] in self.done):
                self.asked.remove(entry)
                self.do(number, step, {"id": id})

    def fill(self, parts):
        """A text in which the values of now stand."""
        if isinstance(parts, str):
            return parts
        return "".join(part if isinstance(part, str) else self.value(part) for part in parts)

    def value(self, part):
        if "env" in part:
            return secret(part["env"])
        if "session" in part:
            return self.id or ""
        (key, nth), was = part["from"], part["was"]
        came = self.heard.get(key, [])
        found = reach(came[nth], part["at"]) if nth < len(came) else None
        if nth < len(came):
            texts = list(leaves(came[nth]))
            if was in texts or "word" in part and any(was in words(text) for text in texts):
                return was
        now = None if found is None or isinstance(found, (dict, list)) else str(found)
        if now is not None and "word" in part:
            now = word_now(now, *part["word"])
        if now is None:
            print("`%s` is sent as it was recorded: nothing stands in its place" % was, file=sys.stderr)
        return was if now is None else now

    def body(self, step, other):
        if "bytes" in step:
            return bytes(step["bytes"])
        if "text" in step:
            return step["text"].encode()
        message = json.loads(json.dumps(step["send"]))
        for pointer, parts in step.get("put", {}).items():
            parent, _, last = pointer.rpartition("/")
            parent, text = reach(message, parent), self.fill(parts)
            last = int(last) if isinstance(parent, list) else last.replace("~1", "/").replace("~0", "~")
            is_number = not isinstance(parent[last], str) and re.fullmatch(r"-?[0-9]+", text)
            parent[last] = int(text) if is_number else text
        if isinstance(message, dict):
            message.update(other)
        return json.dumps(message).encode()

    def do(self, number, step, other={}):
        while self.take(0):
            pass
        sends = "send" in step or "text" in step or "bytes" in step
        body = self.body(step, other) if sends else None
        if body is not None:
            self.sent += 1
            say("-->", body.decode() if "send" in step else ascii(body.decode(errors="replace")))
        self.link.send(number, step, body)
        self.done.add(number)
        self.answer()
