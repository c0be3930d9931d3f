
type Seen = { stream: boolean; answer: boolean; id: string; retry: number };

/** A server over HTTP. */
class Link {
  session: Session;
  open = new Map<number, AbortController>();
  ready = () => {};

  constructor(session: Session) {
    this.session = session;
  }

  async send(number: number, step: Step, body?: Uint8Array): Promise<void> {
    if (step.close !== undefined) {
      this.open.get(step.close)?.abort();
      return;
    }
    const method = step.http ?? "POST";
    let url = process.argv[2] ?? this.session.fill(step.url!);
    if (method !== "GET" && this.session.endpoint) url = this.session.endpoint;
    const filled = Object.entries(step.headers!).map(([key, value]) => [key, this.session.fill(value)]);
    const headers = Object.fromEntries(filled.filter(([, value]) => value !== ""));
    const endpoint = new Promise<boolean>((resolve) => (this.ready = () => resolve(true)));
    const late = new Promise<boolean>((resolve) => setTimeout(resolve, TIMEOUT * 1000, false).unref());
    const head = new Promise<boolean>((resolve) => void this.exchange(number, method, url, headers, body, () => resolve(true)));
    const isRequest = isObject(step.send) && has(step.send, "method") && has(step.send, "id");
    // What is sent next must not overtake it.
    if (!isRequest) await Promise.race([head, late]);
    if (step.endpoint && !(await Promise.race([endpoint, late]))) stop(`no event "endpoint" came within ${TIMEOUT} s`);
  }

  async exchange(number: number, method: string, url: string, headers: Record<string, string>, body: Uint8Array | undefined, head: () => void): Promise<void> {
    let begun = false;
    const heard = () => ((begun = true), head());
    const closed = new AbortController();
    this.open.set(number, closed);
    try {
      let seen = await this.once(closed, method, url, headers, body, heard, "");
      // A stream that ended before its answer is taken up again.
      while (method === "POST" && seen.stream && seen.id && !seen.answer && !closed.signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, seen.retry));
        const again = { ...headers, Accept: "text/event-stream", "Last-Event-ID": seen.id };
        seen = await this.once(closed, "GET", url, again, undefined, heard, seen.id);
      }
    } catch (error: any) {
      if (!begun) this.session.ended(`${method} ${url}: ${error.cause?.message ?? error.message}`);
    } finally {
      head();
    }
  }

  /** One request; tells what of an answer was seen in the response. */
  async once(closed: AbortController, method: string, url: string, headers: Record<string, string>, body: Uint8Array | undefined, head: () => void, id: string): Promise<Seen> {
    const response = await fetch(url, { method, headers, body: body as any, signal: closed.signal });
    this.session.id = response.headers.get("Mcp-Session-Id") ?? this.session.id;
    console.log("<--", `HTTP ${response.status}`);
    head();
    const seen = { stream: false, answer: false, id, retry: 1000 };
    if ((response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) {
      seen.stream = response.status === 200;
      await this.events(response, url, seen);
    } else {
      this.message(await response.text(), seen);
    }
    return seen;
  }

  async events(response: Response, url: string, seen: Seen): Promise<void> {
    const decoder = new TextDecoder();
    let [rest, kind] = ["", "message"];
    let data: string[] = [];
    for await (const chunk of response.body as any) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines.map((line) => line.replace(/\r$/, ""))) {
        const [field, value] = /^([^:]*):? ?(.*)$/s.exec(line)!.slice(1);
        if (line === "") {
          if (kind === "endpoint") {
            this.session.endpoint = new URL(data.join("\n"), url).href;
            this.ready();
          } else if (data.length > 0) {
            this.message(data.join("\n"), seen);
          }
          [kind, data] = ["message", []];
        } else if (field === "data") {
          data.push(value);
        } else if (field === "event") {
          kind = value;
        } else if (field === "id") {
          seen.id = value;
        } else if (field === "retry" && /^[0-9]+$/.test(value)) {
          seen.retry = Math.min(Number(value), TIMEOUT * 1000);
        }
      }
    }
  }

  message(text: string, seen: Seen): void {
    try {
      const message = parse(text);
      const parts = Array.isArray(message) ? message : [message];
      seen.answer ||= parts.some((part) => isObject(part) && has(part, "id") && !has(part, "method"));
      this.session.came(message);
    } catch {
      if (text.trim() !== "") console.log("<--", JSON.stringify(text));
    }
  }

  async close(): Promise<void> {}
}
