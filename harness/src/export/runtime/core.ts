
type Json = any;
type Part = string | { env?: string; session?: boolean; from?: [string, number]; at?: string; was?: string; word?: [number, number, string] };
type Parts = string | Part[];
type Step = {
  wait?: [string, number][];
  maybe?: [string, number][];
  send?: Json;
  text?: string;
  bytes?: number[];
  put?: Record<string, Parts>;
  answer?: boolean;
  after?: number;
  http?: string;
  close?: number;
  endpoint?: boolean;
  url?: Parts;
  headers?: Record<string, Parts>;
};
type Plan = { steps: Step[]; asks: Record<string, (number | null)[]>; own: Step; end: Step };

/** Ends the program as a failure. */
function stop(sentence: string): never {
  console.error(sentence);
  process.exit(1);
}

/** What was taken out of the recording. */
function secret(name: string): string {
  return process.env[name] ?? stop(`set the environment variable ${name}: its value was taken out of the recording`);
}

/** Reads JSON; a number that JavaScript would change keeps its digits. */
function parse(text: string): Json {
  const keep = (_: string, value: Json, context: { source: string }) =>
    typeof value === "number" && String(value) !== context.source ? (JSON as any).rawJSON(context.source) : value;
  return (JSON.parse as any)(text, keep);
}

function isObject(value: Json): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(JSON as any).isRawJSON(value);
}

function has(value: Json, name: string): boolean {
  return Object.prototype.hasOwnProperty.call(value, name);
}

/** What a message is called in the steps. */
function name(message: Json): string {
  if (has(message, "method")) return (has(message, "id") ? "request " : "notification ") + message.method;
  return "answer " + JSON.stringify(message.id ?? null);
}

/** A text or a number as a text. */
function textOf(value: Json): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || (JSON as any).isRawJSON(value)) return JSON.stringify(value);
  return undefined;
}

function leaves(value: Json): string[] {
  const text = textOf(value);
  if (text !== undefined) return [text];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(leaves) : [];
}

function words(text: string): string[] {
  return text.match(/[A-Za-z0-9_-]+/g) ?? [];
}

function last(step: string): string {
  return step.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** What is at a JSON pointer; undefined where nothing is. */
function reach(value: Json, pointer: string): Json {
  for (const step of pointer.split("/").slice(1).map(last)) {
    if (typeof value !== "object" || value === null || !has(value, step)) return undefined;
    value = value[step];
  }
  return value;
}

/** The word of a text that stands in the place of a recorded one. */
function wordNow(text: string, [index, count, before]: [number, number, string]): string | undefined {
  if (words(text).length === count) return words(text)[index];
  const start = before === "" ? -1 : text.indexOf(before);
  return start < 0 ? undefined : /^[A-Za-z0-9_-]+/.exec(text.slice(start + before.length))?.[0];
}

/** Plays the steps of one session. */
class Session {
  plan: Plan;
  id = "";
  endpoint = "";
  heard = new Map<string, Json[]>();
  done = new Set<number>();
  missed = new Set<string>();
  asked: { number: number; step: Step; id: Json }[] = [];
  inbox: Json[] = [];
  gone = "";
  sent = 0;
  wake = () => {};
  link: Link;

  constructor(plan: Plan) {
    this.plan = plan;
    this.link = new Link(this);
  }

  async play(): Promise<void> {
    for (const [number, step] of this.plan.steps.entries()) {
      // Answers go out when they are asked for.
      if (step.answer) continue;
      await this.waitFor(step);
      await this.do(number, step);
    }
    await this.waitFor(this.plan.end);
    await this.link.close();
  }

  async waitFor(step: Step): Promise<void> {
    for (const [key, nth] of step.wait ?? []) {
      if (!(await this.wait(key, nth, TIMEOUT))) stop(`no ${key}: ${this.gone || `nothing came within ${TIMEOUT} s`}`);
    }
    for (const [key, nth] of step.maybe ?? []) {
      // What may not come is not waited for twice.
      if (!this.missed.has(key) && !(await this.wait(key, nth, Math.min(TIMEOUT, 2)))) this.missed.add(key);
    }
  }

  async wait(key: string, nth: number, seconds: number): Promise<boolean> {
    const until = Date.now() + seconds * 1000;
    for (;;) {
      await this.takeIn();
      if ((this.heard.get(key) ?? []).length > nth) return true;
      const left = until - Date.now();
      if (left <= 0 || this.gone) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => (clearTimeout(timer), resolve());
      });
    }
  }

  came(message: Json): void {
    this.inbox.push(message);
    this.wake();
  }

  ended(why: string): void {
    this.gone ||= why;
    this.wake();
  }

  async takeIn(): Promise<void> {
    while (this.inbox.length > 0) await this.hear(this.inbox.shift());
  }

  async hear(came: Json): Promise<void> {
    console.log("<--", JSON.stringify(came));
    for (const message of Array.isArray(came) ? came : [came]) {
      if (!isObject(message)) continue;
      const key = name(message);
      if (!this.heard.has(key)) this.heard.set(key, []);
      this.heard.get(key)!.push(message);
      if (has(message, "method") && has(message, "id")) await this.ask(key, message);
    }
  }

  /** Finds the answer to what the server asks; beyond the recording it is one to the same method. */
  async ask(key: string, message: Json): Promise<void> {
    const known = has(this.plan.asks, key) ? this.plan.asks[key] : [];
    const nth = (this.heard.get(key) ?? []).length - 1;
    const number = nth < known.length ? known[nth] : known.findLast((number) => number !== null);
    if (number === null) return;
    const refusal = { error: { code: -32601, message: "the recording has no answer to this" } };
    const own = { jsonrpc: "2.0", id: null, ...(message.method === "ping" ? { result: {} } : refusal) };
    const step = number === undefined ? { ...this.plan.own, send: own } : this.plan.steps[number];
    this.asked.push({ number: number ?? -1, step, id: message.id });
    await this.answer();
  }

  async answer(): Promise<void> {
    for (const entry of [...this.asked]) {
      const due = entry.step.after === undefined || this.done.has(entry.step.after);
      if (!due || !this.asked.includes(entry)) continue;
      this.asked = this.asked.filter((other) => other !== entry);
      await this.do(entry.number, entry.step, entry.id);
    }
  }

  /** A text in which the values of now stand. */
  fill(parts: Parts): string {
    if (typeof parts === "string") return parts;
    return parts.map((part) => (typeof part === "string" ? part : this.value(part))).join("");
  }

  value(part: Exclude<Part, string>): string {
    if (part.env !== undefined) return secret(part.env);
    if (part.session) return this.id;
    const [[key, nth], was] = [part.from!, part.was!];
    const came = this.heard.get(key)?.[nth];
    const texts = leaves(came);
    if (texts.includes(was) || (part.word && texts.some((text) => words(text).includes(was)))) return was;
    let now = textOf(reach(came, part.at!));
    if (now !== undefined && part.word) now = wordNow(now, part.word);
    if (now === undefined) console.error(`\`${was}\` is sent as it was recorded: nothing stands in its place`);
    return now ?? was;
  }

  body(step: Step, id: Json): Uint8Array | undefined {
    if (step.bytes) return Uint8Array.from(step.bytes);
    if (step.text !== undefined) return Buffer.from(step.text);
    if (!has(step, "send")) return undefined;
    const message = parse(JSON.stringify(step.send));
    for (const [pointer, parts] of Object.entries(step.put ?? {})) {
      const cut = pointer.lastIndexOf("/");
      const [parent, member, text] = [reach(message, pointer.slice(0, cut)), last(pointer.slice(cut + 1)), this.fill(parts)];
      const isNumber = typeof parent[member] !== "string" && /^-?[0-9]+$/.test(text);
      parent[member] = isNumber ? parse(text) : text;
    }
    if (id !== undefined) message.id = id;
    return Buffer.from(JSON.stringify(message));
  }

  async do(number: number, step: Step, id?: Json): Promise<void> {
    await this.takeIn();
    const body = this.body(step, id);
    if (body) {
      this.sent += 1;
      const text = Buffer.from(body).toString();
      console.log("-->", has(step, "send") ? text : JSON.stringify(text));
    }
    await this.link.send(number, step, body);
    this.done.add(number);
    await this.answer();
  }
}
