import { expect, test } from 'vitest'
import { ifIndex, ip, mac } from '../../test/support/values.ts'
import { encodeDeleteLink, encodeSetLink, encodeSetPort } from './link-change.ts'
import { encodeCreateBridge, encodeCreateTunnel, encodeCreateVeth } from './link-create.ts'
import { decodeLink, encodeGetLink } from './link.ts'

function hex({ body }: { readonly body: Uint8Array }): string {
  return Buffer.from(body).toString('hex')
}

function bytes(...parts: readonly string[]): string {
  return parts.join('').replaceAll(' ', '')
}

const anyLink = '00 00 0000 00000000 00000000 00000000' // struct ifinfomsg

test('a bridge is made without delay, spanning tree and VLANs', () => {
  const request = encodeCreateBridge({
    name: 'wvb1',
    mtuBytes: 1450,
    mac: mac('0a:57:56:00:00:01'),
    multicastSnooping: false,
  })
  expect(request).toMatchObject({ type: 16, flags: 0x600 }) // RTM_NEWLINK, CREATE|EXCL
  expect(hex(request)).toBe(
    bytes(
      anyLink,
      '0900 0300 7776623100 000000', //            IFLA_IFNAME wvb1
      '0800 0400 aa050000', //                     IFLA_MTU 1450
      '0a00 0100 0a5756000001 0000', //            IFLA_ADDRESS
      '3c00 1280', //                              IFLA_LINKINFO
      '0b00 0100 62726964676500 00', //              KIND bridge
      '2c00 0280', //                                DATA
      '0800 0100 00000000', //                         FORWARD_DELAY 0
      '0800 0400 30750000', //                         AGEING_TIME 300 s
      '0800 0500 00000000', //                         STP_STATE off
      '0500 1700 00 000000', //                        MCAST_SNOOPING off
      '0600 2700 0000 0000', //                        VLAN_DEFAULT_PVID none
    ),
  )
})

test('a tunnel over IPv4 learns nothing and sends no outer checksum', () => {
  const tunnel = { name: 'wvx1', mtuBytes: 1450, vni: 0xa1f, local: ip('192.0.2.1'), port: 6784 }
  expect(hex(encodeCreateTunnel(tunnel))).toBe(
    bytes(
      anyLink,
      '0900 0300 7776783100 000000',
      '0800 0400 aa050000',
      '3c00 1280',
      '0a00 0100 76786c616e00 0000', //  KIND vxlan
      '2c00 0280',
      '0800 0100 1f0a0000', //           ID
      '0800 0400 c0000201', //           LOCAL
      '0600 0f00 1a80 0000', //          PORT, big-endian
      '0500 0700 00 000000', //          LEARNING off
      '0500 1200 00 000000', //          UDP_CSUM off
    ),
  )
})

test('a tunnel over IPv6 agrees to zero checksums in both directions', () => {
  const tunnel = { name: 'wvx1', mtuBytes: 1430, vni: 1, local: ip('fd00::1'), port: 6784 }
  const body = hex(encodeCreateTunnel(tunnel))
  expect(body).toContain(bytes('1400 1100 fd000000000000000000000000000001')) // LOCAL6
  expect(body).toContain(bytes('0500 1300 01 000000', '0500 1400 01 000000'))
})

test('a veth carries its other end, with a header of its own, inside', () => {
  const request = encodeCreateVeth({
    host: { name: 'h1' },
    container: { name: 'c1', mac: mac('02:00:00:00:00:01') },
    mtuBytes: 1450,
  })
  expect(hex(request)).toBe(
    bytes(
      anyLink,
      '0700 0300 683100 00',
      '0800 0400 aa050000',
      '4400 1280',
      '0900 0100 7665746800 000000', //  KIND veth
      '3400 0280',
      '3000 0180', //                    VETH_INFO_PEER
      anyLink,
      '0700 0300 633100 00',
      '0800 0400 aa050000',
      '0a00 0100 020000000001 0000',
    ),
  )
})

test('a change names only what it changes', () => {
  expect(hex(encodeSetLink(ifIndex(7), { state: 'up', master: ifIndex(3) }))).toBe(
    bytes('00 00 0000 07000000 01000000 01000000', '0800 0a00 03000000'),
  )
  expect(hex(encodeSetLink(ifIndex(7), { state: 'down', master: 'none' }))).toBe(
    bytes('00 00 0000 07000000 00000000 01000000', '0800 0a00 00000000'),
  )
  expect(hex(encodeSetLink('h1', { linkLocal: 'none' }))).toBe(
    bytes(anyLink, '0700 0300 683100 00', '1000 1a80', '0c00 0a80', '0500 0800 01 000000'),
  )
  expect(hex(encodeDeleteLink(ifIndex(7)))).toBe('00000000070000000000000000000000')
})

test('a port’s settings travel apart from its membership', () => {
  expect(hex(encodeSetPort(ifIndex(7), { learning: false, neighbourSuppression: true }))).toBe(
    bytes(
      '00 00 0000 07000000 00000000 00000000',
      '2400 1280',
      '0b00 0400 62726964676500 00', //  SLAVE_KIND bridge
      '1400 0580', //                    SLAVE_DATA
      '0500 0800 00 000000', //            LEARNING
      '0500 2000 01 000000', //            NEIGH_SUPPRESS
    ),
  )
})

test('what we ask for to be made reads back as that', () => {
  const tunnel = { name: 'wvx1', mtuBytes: 1450, vni: 9, local: ip('fd00::1'), port: 6784 }
  const body = Buffer.from(encodeCreateTunnel(tunnel).body)
  body.writeInt32LE(12, 4)
  expect(decodeLink(body)).toMatchObject({
    index: 12,
    name: 'wvx1',
    kind: 'vxlan',
    mtuBytes: 1450,
    up: false,
    vxlan: { vni: 9, local: 'fd00::1', port: 6784, learning: false },
  })
})

test('links are listed without their statistics', () => {
  expect(hex(encodeGetLink())).toBe(bytes(anyLink, '0800 1d00 08000000'))
})
