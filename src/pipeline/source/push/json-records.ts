import { TokenParser } from "@streamparser/json";
import { messageOf } from "../../../kit/message-of.ts";
import { UnusablePush } from "../push.ts";
import { ExactTokenizer, parseRecords } from "./exact-numbers.ts";
import { type PushedRecord, recordMaxBytes } from "./pushed-record.ts";
import { hasSeveralObjects } from "./several-objects.ts";

const bracket = 0x5b;
const whiteSpace = new Set([0x20, 0x09, 0x0a, 0x0d]);
const byteOrderMark = [0xef, 0xbb, 0xbf];

/** Reads JSON: an array of records, which may be long; or one record; or an object whose `data` is an array of records, as in the API's
 *  answers.
 *  @throws UnusablePush where the body is no JSON; the records before that place are yielded first */
export async function* jsonRecords(
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<PushedRecord[], void, undefined> {
  let start = Buffer.alloc(0);
  let elements: ArrayElements | undefined;
  for await (const chunk of content) {
    if (elements !== undefined) yield* elements.add(chunk);
    else {
      start = Buffer.concat([start, chunk]);
      const at = contentStart(start);
      if (start[at] === bracket) {
        elements = new ArrayElements();
        yield* elements.add(start.subarray(at));
      } else if (start.length > recordMaxBytes) throw tooLarge();
    }
  }
  if (elements === undefined) yield wholeDocument(start.subarray(contentStart(start)));
  else elements.end();
}

function contentStart(bytes: Buffer): number {
  let at = byteOrderMark.every((byte, index) => bytes[index] === byte) ? byteOrderMark.length : 0;
  while (at < bytes.length && whiteSpace.has(bytes[at] as number)) at += 1;
  return at;
}

/** The elements of an array, as its bytes come. */
class ArrayElements {
  private readonly tokenizer = new ExactTokenizer();
  private readonly parser = new TokenParser({ paths: ["$.*"], keepStack: false });
  private found: PushedRecord[] = [];
  private index = 0;
  private bytesSince = 0;
  private error: Error | undefined;

  constructor() {
    this.parser.onValue = ({ value }) => {
      this.found.push({ line: 0, index: this.index++, value });
      this.bytesSince = 0;
    };
    this.tokenizer.onToken = (token) => this.parser.write(token);
    this.parser.onError = (error) => this.tokenizer.error(error);
    this.tokenizer.onError = (error) => (this.error ??= error);
    this.parser.onEnd = () => {
      if (!this.tokenizer.isEnded) this.tokenizer.end();
    };
  }

  *add(chunk: Uint8Array): Generator<PushedRecord[], void, undefined> {
    this.bytesSince += chunk.length;
    this.tokenizer.write(chunk);
    const { found } = this;
    this.found = [];
    yield found;
    if (this.error !== undefined) throw noJson(this.index, this.error);
    // a chunk that ends within a record may have others before it
    if (this.bytesSince > recordMaxBytes + chunk.length) throw tooLarge();
  }

  end(): void {
    if (!this.parser.isEnded || !this.tokenizer.isEnded) throw noJson(this.index, new Error("the array does not end"));
  }
}

function wholeDocument(bytes: Uint8Array): PushedRecord[] {
  if (bytes.length === 0) throw new UnusablePush("malformed", "The body is empty; send an array of records");
  let value: unknown;
  try {
    value = parseRecords(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    if (hasSeveralObjects(new TextDecoder().decode(bytes))) throw new UnusablePush("malformed", severalObjects);
    throw new UnusablePush("malformed", `The body is not JSON in UTF-8: ${messageOf(error)}`);
  }
  if (typeof value !== "object" || value === null) {
    throw new UnusablePush("malformed", "The body is no record, no array of records, and no object with data");
  }
  const data = "data" in value ? value.data : undefined;
  const values: readonly unknown[] = Array.isArray(data) ? data : [value];
  return values.map((each, index) => ({ line: 0, index, value: each }));
}

const severalObjects =
  "The body has several objects: send them as an array, or as application/x-ndjson with one object a line, in which curl keeps line ends with --data-binary, not with -d";

const noJson = (index: number, error: Error): UnusablePush =>
  new UnusablePush("malformed", `The body is not JSON after its record ${index}: ${plainProblem(error.message)}`);

/** What the tokenizer says, without its state. NaN and Infinity, which some programs write, begin with N and I. */
function plainProblem(message: string): string {
  const [, character, bytes] = /^Unexpected "(.+?)" at .*position "(\d+)"\)? in state/s.exec(message) ?? [];
  if (character === undefined) return message;
  const number = /^[NI]$/.test(character) ? "; leave out values that are no numbers" : "";
  return `unexpected ${JSON.stringify(character)} at byte ${bytes}${number}`;
}

const tooLarge = (): UnusablePush =>
  new UnusablePush(
    "too_large",
    `A record, or an object that is no array, may have at most ${recordMaxBytes} bytes; send many records as an array or as NDJSON`,
  );
