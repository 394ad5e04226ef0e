import { type PGlite, parse, protocol, type Results } from "@electric-sql/pglite";

type Parameter = string | number | boolean | null;

/** More than the store's transactions have. Texts that depend on a batch, such as its columns, could make them unlimited. */
const maxPrepared = 200;

/** Runs the statements of transactions, each prepared once. PGlite's own `query` parses and plans a statement every time, and calls
 *  the database six times for it: a small statement takes several times as long. */
export class PGliteStatements {
  private readonly prepared = new Map<string, string>();

  constructor(private readonly database: PGlite) {}

  /** Call this only within a transaction of the database: another one may be under way otherwise.
   *  @param params as for `SqlExecutor` */
  run(text: string, params: readonly unknown[]): Promise<Results> {
    const values = (params as readonly Parameter[]).map((value) => (value === null ? null : String(value)));
    return this.database.runExclusive(async () => {
      const statement = await this.prepare(text);
      const { bind, describe, execute } = protocol.serialize;
      const messages = await this.call(bind({ statement, values }), describe({ type: "P" }), execute());
      const [result] = parse.parseResults(messages, this.database.parsers);
      return result ?? { rows: [], fields: [] };
    });
  }

  /** @returns the statement's name. A transaction that is undone keeps its prepared statements. */
  private async prepare(text: string): Promise<string> {
    const known = this.prepared.get(text);
    if (known !== undefined) return known;
    if (this.prepared.size >= maxPrepared) await this.forget();
    const name = `s${this.prepared.size}`;
    await this.call(protocol.serialize.parse({ name, text }));
    this.prepared.set(text, name);
    return name;
  }

  private async forget(): Promise<void> {
    const { close } = protocol.serialize;
    await this.call(...Array.from(this.prepared.values(), (name) => close({ type: "S", name })));
    this.prepared.clear();
  }

  /** @throws DatabaseError, with its SQLSTATE as `code` */
  private call(...messages: Uint8Array[]): ReturnType<PGlite["execProtocolStream"]> {
    // a transaction's end brings the files up to date
    return this.database.execProtocolStream(Buffer.concat([...messages, protocol.serialize.sync()]), {
      syncToFs: false,
    });
  }
}
