#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""delayproxy does to a line what it says. The far end is a socket of this test. Usage: proxy_test.py DELAYPROXY"""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM = sys.argv.pop(1)


class ProxyTest(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.dir = tempfile.TemporaryDirectory()
        self.counters_path = os.path.join(self.dir.name, "counters")

    def tearDown(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.listener.close()
        self.dir.cleanup()

    def start(self, *options):
        port = self.listener.getsockname()[1]
        self.process = subprocess.Popen([PROGRAM, "--counters", self.counters_path, *options, f"127.0.0.1:{port}"],
                                        stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        return self.connect()

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port))
        client.settimeout(10)
        server, _ = self.listener.accept()
        server.settimeout(10)
        self.addCleanup(client.close)
        self.addCleanup(server.close)
        return client, server

    def counters(self):
        if os.path.exists(self.counters_path):
            os.unlink(self.counters_path)
        self.process.send_signal(signal.SIGUSR1)
        end = time.monotonic() + 10
        while not os.path.exists(self.counters_path):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.001)
        with open(self.counters_path, encoding="ascii") as file:
            return {name: int(value) for name, value in (line.split() for line in file)}

    def read_all(self, sock):
        data = bytearray()
        while piece := sock.recv(1 << 16):
            data += piece
        return bytes(data)

    def test_round_trip_takes_its_time(self):
        client, server = self.start("--rtt", "100")
        start = time.monotonic()
        client.sendall(b"ping")
        self.assertEqual(server.recv(10), b"ping")
        self.assertGreaterEqual(time.monotonic() - start, 0.05)
        server.sendall(b"pong")
        self.assertEqual(client.recv(10), b"pong")
        self.assertGreaterEqual(time.monotonic() - start, 0.1)
        self.assertLess(time.monotonic() - start, 1)

    def test_connecting_takes_round_trips(self):
        start = time.monotonic()
        self.start("--rtt", "200")
        self.assertGreaterEqual(time.monotonic() - start, 0.3)

    def test_delay_does_not_limit_bandwidth(self):
        client, server = self.start("--rtt", "200")
        data = os.urandom(1 << 20) * 32  # at 64 KiB a round trip this would take 100 s
        sender = threading.Thread(target=lambda: (server.sendall(data), server.shutdown(socket.SHUT_WR)))
        start = time.monotonic()
        sender.start()
        self.assertEqual(self.read_all(client), data)
        self.assertLess(time.monotonic() - start, 5)
        sender.join()
        self.assertEqual(self.counters()["server_bytes"], len(data))

    def test_sender_is_held_back_when_nobody_reads(self):
        client, server = self.start()
        server.settimeout(1)
        sent = 0
        with self.assertRaises(socket.timeout):
            while sent < 1 << 30:
                sent += server.send(b"x" * (1 << 20))
        self.assertLess(sent, 200 << 20)
        client.close()

    def test_cut_after_bytes(self):
        client, server = self.start("--cut-after", "5")
        server.sendall(b"0123456789")
        self.assertEqual(self.read_all(client), b"01234")

    def test_cut_after_lines(self):
        client, server = self.start("--cut-after", "2l")
        server.sendall(b"one\r\ntwo\r\nthree\r\n")
        self.assertEqual(self.read_all(client), b"one\r\ntwo\r\n")
        counters = self.counters()
        self.assertEqual((counters["server_lines"], counters["server_bytes"], counters["open"]), (2, 10, 0))

    def test_cut_only_the_first_connection(self):
        client, server = self.start("--cut-after", "1", "--only", "1")
        server.sendall(b"ab")
        self.assertEqual(self.read_all(client), b"a")
        client, server = self.connect()
        server.sendall(b"ab")
        server.shutdown(socket.SHUT_WR)
        self.assertEqual(self.read_all(client), b"ab")

    def test_stall_keeps_the_line_open(self):
        client, server = self.start("--stall-after", "3")
        server.sendall(b"abcdef")
        self.assertEqual(client.recv(10), b"abc")
        client.settimeout(0.3)
        self.assertRaises(socket.timeout, client.recv, 1)
        client.sendall(b"still open")
        self.assertEqual(server.recv(20), b"still open")

    def test_stall_by_signal_and_its_end(self):
        client, server = self.start()
        client.sendall(b"x")
        self.assertEqual(server.recv(1), b"x")
        self.process.send_signal(signal.SIGUSR2)
        self.counters()
        server.sendall(b"later")
        client.settimeout(0.3)
        self.assertRaises(socket.timeout, client.recv, 1)
        self.process.send_signal(signal.SIGUSR2)
        client.settimeout(10)
        self.assertEqual(client.recv(10), b"later")

    def test_cut_by_signal(self):
        client, _ = self.start()
        self.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.read_all(client), b"")

    def test_half_closed_line_still_answers(self):
        client, server = self.start("--rtt", "20")
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(self.read_all(server), b"question")
        server.sendall(b"answer")
        server.close()
        self.assertEqual(self.read_all(client), b"answer")
        self.assertEqual(self.counters()["client_bytes"], 8)


if __name__ == "__main__":
    unittest.main()
