import { GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql";
import type { ApiFaultPage } from "../../answers/faults/fault-list.ts";
import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { faultNews } from "../../graphql-kit/live/fault-news.ts";
import { argumentsOf, parametersOf } from "../../graphql-kit/types/arguments.ts";
import type { ScopeRule } from "../../http/access/access-rule.ts";
import { faultDetailSchema, faultNewsSchema, faultSchema } from "../../schemas/fault.ts";
import { faultOrderSchema } from "../../schemas/fault-order.ts";
import { silenceSchema } from "../../schemas/fault-silence.ts";
import { changeFilterOf, changesQuery, faultFilterOf, faultParams, faultsQuery } from "./fault-query.ts";
import {
  acknowledgeQuery,
  newSilenceOf,
  newSilenceQuery,
  remediationOf,
  remediationQuery,
  silenceParams,
  silencesQuery,
} from "./order-query.ts";
import { authorOf } from "./order-routes.ts";

/** The queries for faults and silences. */
export function faultFields({ types, field }: SchemaKit): FieldMap {
  return {
    faults: field({
      scope: "read",
      selectors: "narrowed",
      type: new GraphQLNonNull(pageType(types)),
      description: "What is wrong with devices, hosts, jobs and clusters, the newest beginning first",
      takes: faultsQuery,
      size: limitOf,
      resolve: (_, query, { allParts }) => allParts.faults.page(faultFilterOf(query)),
    }),
    fault: field({
      scope: "read",
      selectors: "narrowed",
      type: types.of(faultDetailSchema),
      description: "The fault with this id, with the changes of its state; an error if it does not exist",
      takes: faultParams,
      resolve: (_, { id }, { allParts }) => allParts.faults.show(id),
    }),
    faultSilences: field({
      scope: "read",
      selectors: "narrowed",
      type: types.listOf(silenceSchema),
      description: "Periods in which no notifications are sent for matching faults, newest first",
      takes: silencesQuery,
      size: () => 100,
      resolve: (_, { ended }, { allParts }) => allParts.faults.silences(ended),
    }),
  };
}

/** The mutations by which operators acknowledge faults, tell of resets and reboots, and silence faults. */
export function faultMutations({ types, field }: SchemaKit): FieldMap {
  const order = new GraphQLNonNull(types.of(faultOrderSchema));
  const silence = new GraphQLNonNull(types.of(silenceSchema));
  return {
    acknowledgeFault: field({
      scope: "operate",
      selectors: "narrowed",
      type: order,
      description: "Says that an operator has seen a fault that fires; an XID ends thereby",
      takes: { ...faultParams, ...acknowledgeQuery },
      resolve: (_, { id, comment = "" }, { allParts, requester }) =>
        allParts.faultOrders.acknowledge(id, comment, authorOf(requester)),
    }),
    tellRemediation: field({
      scope: "operate",
      type: order,
      description: "Says that a device was reset, or a host rebooted: its XIDs end",
      takes: remediationQuery,
      resolve: (_, query, { allParts, requester }) =>
        allParts.faultOrders.remediate(remediationOf(query, requester.caller.grant.name)),
    }),
    createFaultSilence: field({
      scope: "operate",
      selectors: "narrowed",
      type: silence,
      description: "No notifications are sent for matching faults until endTime; they are still listed",
      takes: newSilenceQuery,
      resolve: (_, query, { allParts, requester }) =>
        allParts.faultOrders.silence(newSilenceOf(query), authorOf(requester)),
    }),
    endFaultSilence: field({
      scope: "operate",
      selectors: "narrowed",
      type: silence,
      description: "Ends a silence before its time; returns it as it is then",
      takes: silenceParams,
      resolve: (_, { id }, { allParts, requester }) => allParts.faultOrders.endSilence(id, authorOf(requester)),
    }),
  };
}

const liveRule: ScopeRule = { scope: "read", selectors: "narrowed" };

/** The subscription to changes of faults. */
export function faultSubscriptions({ types, enums }: SchemaKit): FieldMap {
  return {
    faultChanges: {
      type: new GraphQLNonNull(types.of(faultNewsSchema)),
      description: "The changes of faults in their order, as they are told",
      extensions: liveRule,
      args: argumentsOf(changesQuery, enums),
      subscribe: (_, args, { operation }) => {
        operation.require(liveRule, "Subscription.faultChanges", "");
        const query = parametersOf(changesQuery, args as Readonly<Record<string, unknown>>);
        const { allParts, requester } = operation;
        const asked = { since: query.since, filter: changeFilterOf(query) };
        return allParts.admission.admit(faultNews(allParts.faults, asked, allParts.clock), requester.caller);
      },
      resolve: (news) => news,
    },
  };
}

function pageType(types: SchemaKit["types"]): GraphQLObjectType {
  return new GraphQLObjectType<ApiFaultPage>({
    name: "FaultPage",
    description: "A part of the list of faults",
    fields: {
      faults: { type: types.listOf(faultSchema), extensions: { size: () => 1 } },
      nextCursor: {
        type: GraphQLString,
        description: "The cursor of the next part; null at the end",
        resolve: ({ next }) => next,
      },
      evaluatedAt: { type: GraphQLString, description: "When the rules were last evaluated; null if they never were" },
      notice: {
        type: GraphQLString,
        description: "Why the list may lack faults, and what to do; null if it is complete",
      },
    },
  });
}
