/**
 * Keeps an etcd that is ours alone from choking on its own history.
 *
 * etcd compacts by the clock, but never gives pages back by itself, and once its quota is used up it
 * refuses every write until somebody has made room and said so (the alarm).
 */

import type { EtcdClient } from './client.ts'
import {
  AlarmRequest,
  AlarmRequest_AlarmAction,
  AlarmType,
  CompactionRequest,
  DefragmentRequest,
  KVService,
  MaintenanceService,
  StatusRequest,
} from './generated/rpc.ts'

/** Below this, free pages are not worth the moment in which etcd answers nobody. */
const worthwhileBytes = 64n * 2n ** 20n

export async function relieve(client: EtcdClient): Promise<void> {
  const status = await client.read(MaintenanceService.status, StatusRequest.fromPartial({}))
  const { alarms } = await client.read(MaintenanceService.alarm, AlarmRequest.fromPartial({}))
  const full = alarms.filter(({ alarm }) => alarm === AlarmType.NOSPACE)
  if (full.length > 0) await compact(client, status.header?.revision ?? 0n)
  const isLoose = status.dbSize > worthwhileBytes && status.dbSize > 2n * status.dbSizeInUse
  if (isLoose || full.length > 0) {
    await client.write(MaintenanceService.defragment, DefragmentRequest.fromPartial({}))
  }
  for (const { memberID } of full) {
    const action = AlarmRequest_AlarmAction.DEACTIVATE
    const request = AlarmRequest.fromPartial({ action, memberID, alarm: AlarmType.NOSPACE })
    await client.write(MaintenanceService.alarm, request)
  }
}

/** Nothing left to compact is no failure. */
async function compact(client: EtcdClient, revision: bigint): Promise<void> {
  const request = CompactionRequest.fromPartial({ revision, physical: true })
  await client.write(KVService.compact, request).catch(() => {})
}
