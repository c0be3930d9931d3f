

class Link:
    """A server over its standard input and output."""

    def __init__(self, session):
        command = sys.argv[1:] or [session.fill(word) for word in COMMAND]
        if not command:
            stop("give the server's command as arguments")
        self.session = session
        try:
            self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            stop("the server does not start: %s" % error)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.server.stdout:
            try:
                self.session.inbox.put(json.loads(line))
            except (ValueError, RecursionError):
                say("<--", ascii(line.decode(errors="replace")))
        self.session.inbox.put("the server has closed its output")

    def send(self, number, step, body):
        try:
            self.server.stdin.write(body + b"\n")
            self.server.stdin.flush()
        except OSError as error:
            stop("the server has closed its input: %s" % error)

    def close(self):
        try:
            self.server.stdin.close()
            self.server.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self.server.kill()
