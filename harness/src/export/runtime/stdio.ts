
/** A server over its standard input and output. */
class Link {
  session: Session;
  server: ChildProcessByStdio<Writable, Readable, null>;
  over: Promise<void>;

  constructor(session: Session) {
    const given = process.argv.slice(2);
    const command = given.length > 0 ? given : COMMAND.map((word) => session.fill(word));
    if (command.length === 0) stop("give the server's command as arguments");
    this.session = session;
    this.server = spawn(command[0], command.slice(1), { stdio: ["pipe", "pipe", "inherit"] });
    this.server.on("error", (error) => stop(`the server does not start: ${error.message}`));
    this.server.stdin.on("error", (error) => session.ended(`the server has closed its input: ${error.message}`));
    this.over = new Promise((resolve) => this.server.on("exit", () => resolve()));
    this.read();
  }

  async read(): Promise<void> {
    for await (const line of createInterface({ input: this.server.stdout })) {
      try {
        this.session.came(parse(line));
      } catch {
        console.log("<--", JSON.stringify(line));
      }
    }
    this.session.ended("the server has closed its output");
  }

  async send(_: number, __: Step, body?: Uint8Array): Promise<void> {
    this.server.stdin.write(Buffer.concat([body ?? new Uint8Array(), Buffer.from("\n")]));
  }

  async close(): Promise<void> {
    this.server.stdin.end();
    await Promise.race([this.over, new Promise((resolve) => setTimeout(resolve, 10_000).unref())]);
    this.server.kill("SIGKILL");
  }
}
