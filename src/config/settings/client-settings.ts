import { optionalCount } from "../config-setting.ts";

/** A limit of what a client may cost; 0: none.
 *  @param withKeys the default where keys are required; without keys, the default is no limit */
const clientLimit = (env: string, description: string, { withKeys, unit }: { withKeys: number; unit: string }) =>
  optionalCount({
    env,
    minimum: 0,
    maximum: 1_000_000_000_000,
    unit,
    description: `${description} of one client (a key, or without keys an address); 0: no limit; absent: ${withKeys} where keys are required, otherwise no limit`,
  });

/** The settings of what one client may cost. */
export const clientSettings = {
  clientMaxHeavyQueries: optionalCount({
    env: "CLIENT_MAX_HEAVY_QUERIES",
    minimum: 1,
    maximum: 100,
    unit: "queries",
    description:
      "Heavy questions of one client (a key, or without keys an address) that a gateway asks the database at a time; others wait in turn; absent: 2 where keys are required, otherwise MAX_HEAVY_QUERIES",
  }),
  clientRowsPerMinute: clientLimit(
    "CLIENT_ROWS_PER_MINUTE",
    "Rows that a gateway has the database read for the questions",
    {
      withKeys: 20_000_000,
      unit: "rows/min",
    },
  ),
  clientMaxSockets: clientLimit("CLIENT_MAX_SOCKETS", "Open WebSockets to a gateway", {
    withKeys: 200,
    unit: "sockets",
  }),
  clientMaxSubscriptions: clientLimit("CLIENT_MAX_SUBSCRIPTIONS", "Subscriptions at a gateway", {
    withKeys: 2000,
    unit: "subscriptions",
  }),
  clientMaxExports: clientLimit(
    "CLIENT_MAX_EXPORTS",
    "CSV, NDJSON and Parquet answers that a gateway sends at a time",
    {
      withKeys: 4,
      unit: "exports",
    },
  ),
};
