import { Counter, Gauge, type Registry } from "prom-client";

/** The name and the help of an instrument, and its value among figures. */
export type FigureGauge<Figures> = readonly [name: string, help: string, of: (figures: Figures) => number | undefined];
export type FigureCounter<Figures> = readonly [name: string, help: string, of: (figures: Figures) => number];

/** Shows Prometheus figures that a process keeps. A gauge without a value is absent.
 *  @param read returns the newest figures */
export function showFigures<Figures>(
  read: () => Figures,
  gauges: readonly FigureGauge<Figures>[],
  { counters, registry }: { readonly counters: readonly FigureCounter<Figures>[]; readonly registry: Registry },
): void {
  const registers = [registry];
  for (const [name, help, of] of gauges) {
    void new Gauge({
      ...{ name, help, registers },
      collect() {
        const value = of(read());
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  }
  for (const [name, help, of] of counters) {
    void new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset();
        this.inc(of(read()));
      },
    });
  }
}
