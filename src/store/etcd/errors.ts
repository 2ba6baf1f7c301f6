/**
 * What a gRPC status from etcd means to an operator.
 *
 * The trap: etcd packs very different troubles into one status code (RESOURCE_EXHAUSTED is both "disk
 * quota used up" and "slow down"), so the text decides where the code does not.
 */

import { status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { Fault } from '../../model/fault.ts'
import {
  storeCorrupt,
  storeDenied,
  storeFull,
  storeLeaseGone,
  storeRefused,
  storeUnreachable,
} from '../../model/faults.ts'

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error
}

/** The endpoint did not do its part: another one may. The request may or may not have arrived. */
export function isNoAnswer(error: unknown): boolean {
  return isServiceError(error) && noAnswer.has(error.code)
}

/** The history that was asked for is not there: compacted away, or never made by this store. */
export function isOutOfHistory(error: unknown): boolean {
  const origin = error instanceof Fault ? error.cause : error
  return isServiceError(origin) && origin.code === status.OUT_OF_RANGE
}

/** One line for people: etcd's or gRPC's own words without their decoration. */
export function reasonOf(error: unknown): string {
  if (!isServiceError(error)) return error instanceof Error ? error.message : String(error)
  if (error.code === status.DEADLINE_EXCEEDED) return 'no answer before the deadline'
  return plainWords(error.details)
}

/** The fault for a failed call; what is no gRPC status stays what it is. */
export function toFault(error: unknown, endpoints: readonly string[]): unknown {
  if (!isServiceError(error) || error instanceof Fault) return error
  return faultFor(error, endpoints).causedBy(error)
}

const noAnswer: ReadonlySet<number> = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.CANCELLED,
  status.INTERNAL,
  status.UNKNOWN,
])

const denied: ReadonlySet<number> = new Set([status.PERMISSION_DENIED, status.UNAUTHENTICATED])

function faultFor(error: ServiceError, endpoints: readonly string[]): Fault {
  const reason = reasonOf(error)
  if (error.details.includes('database space exceeded')) return storeFull(endpoints)
  if (error.details.includes('requested lease not found')) return storeLeaseGone()
  if (denied.has(error.code)) return storeDenied(endpoints, reason)
  if (error.code === status.DATA_LOSS) return storeCorrupt(endpoints, reason)
  const busy = error.code === status.RESOURCE_EXHAUSTED
  if (busy || isNoAnswer(error)) return storeUnreachable(endpoints, reason)
  return storeRefused(endpoints, reason)
}

function plainWords(details: string): string {
  return details
    .replace(/^No connection established\. Last error: /, '')
    .replace(/^etcdserver: /, '')
    .replace(/\. Resolution note: *$/, '')
}
