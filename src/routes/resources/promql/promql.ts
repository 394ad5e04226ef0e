import { QueryTurns } from "../../answers/promql/query-turns.ts";
import { noFields, type Resource } from "../resource.ts";
import { metadataRoutes } from "./metadata-routes.ts";
import {
  alertsSchema,
  buildSchema,
  errorSchema,
  exemplarsSchema,
  metadataSchema,
  resultSchema,
  rulesSchema,
  seriesListSchema,
  textsSchema,
} from "./promql-schemas.ts";
import { queryRoutes } from "./query-routes.ts";
import { rulesRoutes } from "./rules-routes.ts";
import { seriesRoutes } from "./series-routes.ts";

/** The history as series, for tools that ask a Prometheus. */
export const promql: Resource = {
  schemas: [
    ...[buildSchema, errorSchema, metadataSchema, resultSchema, seriesListSchema, textsSchema],
    ...[alertsSchema, exemplarsSchema, rulesSchema],
  ],
  routes: (parts) => {
    const { clock } = parts;
    const turns = new QueryTurns(clock);
    return [
      queryRoutes({ ...parts, turns }),
      seriesRoutes({ ...parts, turns }),
      metadataRoutes(clock),
      rulesRoutes(clock),
    ];
  },
  fields: () => noFields,
};
