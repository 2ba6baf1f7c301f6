/**
 * Who is a member of an etcd cluster, and how a host becomes one.
 *
 * A newcomer is a learner first: it receives all data but has no vote, so that one that never starts
 * cannot cost the others their quorum. It is promoted once it is in sync; until then etcd refuses,
 * and the caller asks again.
 */

import type { EtcdClient } from './client.ts'
import {
  ClusterService,
  MemberAddRequest,
  MemberListRequest,
  MemberPromoteRequest,
  MemberRemoveRequest,
} from './generated/rpc.ts'
import type { Member as EtcdMember } from './generated/rpc.ts'

export interface Member {
  readonly id: bigint
  /** Empty until it has started for the first time. */
  readonly name: string
  readonly peerUrls: readonly string[]
  readonly clientUrls: readonly string[]
  readonly role: 'learner' | 'voter'
}

export async function listMembers(client: EtcdClient): Promise<readonly Member[]> {
  const { members } = await client.read(
    ClusterService.memberList,
    MemberListRequest.fromPartial({}),
  )
  return members.map(toMember)
}

/** All members, the new one among them: what its `--initial-cluster` must say. */
export async function addLearner(
  client: EtcdClient,
  peerUrl: string,
): Promise<{ readonly id: bigint; readonly members: readonly Member[] }> {
  const request = MemberAddRequest.fromPartial({ peerURLs: [peerUrl], isLearner: true })
  const { member, members } = await client.write(ClusterService.memberAdd, request)
  return { id: member?.ID ?? 0n, members: members.map(toMember) }
}

/** @throws STORE_REFUSED while it is not in sync. */
export async function promoteMember(client: EtcdClient, id: bigint): Promise<void> {
  const request = MemberPromoteRequest.fromPartial({ ID: id })
  await client.write(ClusterService.memberPromote, request)
}

export async function removeMember(client: EtcdClient, id: bigint): Promise<void> {
  await client.write(ClusterService.memberRemove, MemberRemoveRequest.fromPartial({ ID: id }))
}

function toMember({ ID, name, peerURLs, clientURLs, isLearner }: EtcdMember): Member {
  const role = isLearner ? 'learner' : 'voter'
  return { id: ID, name, peerUrls: peerURLs, clientUrls: clientURLs, role }
}
