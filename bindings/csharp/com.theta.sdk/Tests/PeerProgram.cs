// A peer in another language as a process: it is asked with a line and answers with lines "name value", then "end".
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Text;
using System.Threading;
using NUnit.Framework;

namespace Theta.Tests
{
    internal sealed class PeerProgram : IDisposable
    {
        private readonly Process _process;

        internal PeerProgram(string program, string arguments)
        {
            _process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            });
        }

        /// <summary>Its answer; the test fails when it gives up.</summary>
        internal Dictionary<string, string> Ask(Loopback link, string question)
        {
            bool isWhole;
            Dictionary<string, string> answer = AskAnything(link, question, out isWhole);
            Assert.IsTrue(isWhole, "the program gave up: " + (answer.ContainsKey("error") ? answer["error"] : "?"));
            return answer;
        }

        /// <summary>The reason for which it gives up; the test fails when it does not.</summary>
        internal string AskInVain(Loopback link, string question)
        {
            bool isWhole;
            Dictionary<string, string> answer = AskAnything(link, question, out isWhole);
            Assert.IsFalse(isWhole, "the program got its answer");
            Assert.IsTrue(answer.ContainsKey("error"), "the program gave up without a word");
            return answer["error"];
        }

        internal static string Hex(ReadOnlySpan<byte> bytes)
        {
            StringBuilder text = new StringBuilder(bytes.Length * 2);
            foreach (byte b in bytes)
            {
                text.Append(b.ToString("x2"));
            }
            return text.ToString();
        }

        private Dictionary<string, string> AskAnything(Loopback link, string question, out bool isWhole)
        {
            Dictionary<string, string> answer = new Dictionary<string, string>();
            bool ended = false;
            // The program waits for the host, which this thread drives; so another one waits for the program.
            Thread reader = new Thread(delegate()
            {
                _process.StandardInput.WriteLine(question);
                _process.StandardInput.Flush();
                for (string line = _process.StandardOutput.ReadLine(); line != null; line = _process.StandardOutput.ReadLine())
                {
                    int space = line.IndexOf(' ');
                    if (space < 0)
                    {
                        ended = line == "end";
                        return;
                    }
                    answer[line.Substring(0, space)] = line.Substring(space + 1);
                }
            });
            reader.IsBackground = true;
            reader.Start();
            link.Until(delegate { return !reader.IsAlive; }, "the program has answered");
            reader.Join();
            isWhole = ended;
            return answer;
        }

        public void Dispose()
        {
            _process.StandardInput.Close();
            if (!_process.WaitForExit(Loopback.TimeoutMs))
            {
                _process.Kill();
            }
            _process.Dispose();
        }
    }
}
