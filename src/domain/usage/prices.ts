/** What GPUs and energy cost. */
export interface UsagePrices {
  /** For an hour of a GPU: of each model, and `*` for all others. */
  readonly gpuHour: ReadonlyMap<string, number>;
  /** For a kWh; 0: it is in the price of the GPUs, or not counted. */
  readonly kilowattHour: number;
  readonly currency: string;
}

/** Nothing is known of prices. */
export const noPrices: UsagePrices = { gpuHour: new Map(), kilowattHour: 0, currency: "" };

/** The form of the price of a GPU for an hour: one for all, or one for each model. */
export const gpuPricePattern =
  "^(\\d+(\\.\\d+)?|[^=;]*[^=;\\s]\\s*=\\s*\\d+(\\.\\d+)?(\\s*;\\s*[^=;]*[^=;\\s]\\s*=\\s*\\d+(\\.\\d+)?)*)$";

/** Reads the price of a GPU for an hour: `2.5`, or `NVIDIA H100=2.5; *=1`. @param text of the form of `gpuPricePattern` */
export function gpuPricesOf(text: string | undefined): ReadonlyMap<string, number> {
  if (text === undefined) return noPrices.gpuHour;
  if (!text.includes("=")) return new Map([["*", Number(text)]]);
  return new Map(
    text.split(";").map((part) => {
      const [model = "", price = ""] = part.split("=").map((side) => side.trim());
      return [model, Number(price)];
    }),
  );
}

/** The price of a model's GPU for an hour; undefined if none is set. */
export function gpuHourPrice({ gpuHour }: UsagePrices, modelName: string): number | undefined {
  return gpuHour.get(modelName) ?? gpuHour.get("*");
}
