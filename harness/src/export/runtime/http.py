

class Link:
    """A server over HTTP; every exchange has a thread of its own."""

    def __init__(self, session):
        self.session, self.sockets, self.ready = session, {}, threading.Event()

    def send(self, number, step, body):
        if "close" in step:
            connection = self.sockets.get(step["close"])
            try:
                connection and connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It is closed already.
            return
        method = step.get("http", "POST")
        url = sys.argv[1] if len(sys.argv) > 1 else self.session.fill(step["url"])
        if method != "GET" and self.session.endpoint:
            url = self.session.endpoint
        headers = {key: self.session.fill(value) for key, value in step["headers"].items()}
        headers = {key: value for key, value in headers.items() if value}
        head = threading.Event()
        threading.Thread(target=self.exchange, args=(number, method, url, headers, body, head), daemon=True).start()
        is_request = body is not None and "method" in step.get("send", {}) and "id" in step["send"]
        # What is sent next must not overtake it.
        if not is_request:
            head.wait(TIMEOUT)
        if step.get("endpoint") and not self.ready.wait(TIMEOUT):
            stop("no event `endpoint` came within %g s" % TIMEOUT)

    def exchange(self, number, method, url, headers, body, head):
        try:
            seen = self.once(number, method, url, headers, body, head)
            # A stream that ended before its answer is taken up again.
            while method == "POST" and seen["stream"] and seen["id"] and not seen["answer"]:
                time.sleep(seen["retry"])
                headers = dict(headers, **{"Accept": "text/event-stream", "Last-Event-ID": seen["id"]})
                seen = self.once(number, "GET", url, headers, None, head, seen["id"])
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not head.is_set():
                self.session.inbox.put("%s %s: %s" % (method, url, error))
        finally:
            head.set()

    def once(self, number, method, url, headers, body, head, last=""):
        """One request; tells what of an answer was seen in the response."""
        address = urllib.parse.urlsplit(url)
        secure = address.scheme == "https"
        make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = make(address.hostname, address.port, timeout=TIMEOUT)
        connection.connect()
        self.sockets[number] = connection.sock
        path = (address.path or "/") + ("?" + address.query if address.query else "")
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        self.session.id = response.headers.get("Mcp-Session-Id") or self.session.id
        say("<--", "HTTP %d" % response.status)
        head.set()
        seen = {"stream": False, "answer": False, "id": last, "retry": 1.0}
        if response.headers.get_content_type() == "text/event-stream":
            seen["stream"] = response.status == 200
            if method == "GET":
                self.sockets[number].settimeout(None)
            self.events(response, url, seen)
        else:
            text = response.read()
            self.message(text, seen)
        connection.close()
        return seen

    def events(self, response, url, seen):
        kind, data = "message", []
        for line in response:
            line = line.decode(errors="replace").rstrip("\r\n")
            field, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if not line:
                if kind == "endpoint":
                    self.session.endpoint = urllib.parse.urljoin(url, "\n".join(data))
                    self.ready.set()
                elif data:
                    self.message("\n".join(data).encode(), seen)
                kind, data = "message", []
            elif field == "data":
                data.append(value)
            elif field == "event":
                kind = value
            elif field == "id":
                seen["id"] = value
            elif field == "retry" and value.isdigit():
                seen["retry"] = min(int(value) / 1000, TIMEOUT)

    def message(self, text, seen):
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            if text.strip():
                say("<--", ascii(text.decode(errors="replace")))
            return
        parts = message if isinstance(message, list) else [message]
        seen["answer"] |= any(isinstance(part, dict) and "id" in part and "method" not in part for part in parts)
        self.session.inbox.put(message)

    def close(self):
        pass
