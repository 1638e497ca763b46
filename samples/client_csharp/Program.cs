// Runs the client in the order and at the rate of a headset's frame loop. Options, files and reports: samples/README.md.
using System;
using System.IO;
using System.Threading;
using Theta;

namespace Samples
{
    internal static class Program
    {
        private const ulong FramePeriodNs = 1000000000 / 90;
        private const ulong FixedPeriodNs = 1000000000 / 50;

        // As Unity's Maximum Allowed Timestep: after a stall the fixed updates do not run after the time that was lost.
        private const int MaxFixedUpdates = 8;

        private static volatile bool _stop;

        private static int Main(string[] words)
        {
            try
            {
                Console.CancelKeyPress += delegate(object sender, ConsoleCancelEventArgs e)
                {
                    e.Cancel = true;
                    _stop = true;
                };
                return Run(Options.Parse(words));
            }
            catch (UsageException e)
            {
                Console.Error.WriteLine("client_csharp: " + e.Message);
                return 2;
            }
            catch (Exception e) when (e is ThetaException || e is IOException || e is InvalidDataException
                || e is UnauthorizedAccessException)
            {
                Console.Error.WriteLine("client_csharp: " + e.Message);
                return 1;
            }
        }

        private static int Run(Options options)
        {
            Motion motion = Motion.Load(options.Motion);
            string ticket = options.Ticket.Length > 0 ? options.Ticket : ReadTicket(options.TicketFile);
            using (ThetaRuntime runtime = ThetaRuntime.Create())
            using (ThetaRegistry registry = runtime.CreateRegistry())
            using (HashFile hashes = new HashFile(options.HashFile))
            {
                ThetaStatus conditioned = ThetaExperimental.ConditionLinks(runtime, options.Conditions);
                if (conditioned.IsError())
                {
                    throw new IOException("cannot make the network a bad one: " + conditioned.Text());
                }
                ThetaComponent<DemoCube> cube = registry.Add<DemoCube>();
                ThetaComponent<DemoAvatar> avatar = registry.Add<DemoAvatar>();
                ThetaJoinOptions joining = new ThetaJoinOptions
                {
                    Ticket = ticket,
                    Name = options.Name,
                    Basis = ThetaBasis.OpenXr,
                };
                using (ThetaClient session = runtime.Join(registry, joining))
                {
                    Client client = new Client(session, cube, avatar, options, motion, hashes, FramePeriodNs);
                    string problem = Play(client, options);
                    client.Finish();
                    if (options.Report.Length > 0)
                    {
                        Text.WriteWhole(options.Report, client.Report() + "\n");
                    }
                    if (problem != null)
                    {
                        Console.Error.WriteLine("client_csharp: " + problem);
                        return 1;
                    }
                }
            }
            return 0;
        }

        /// <summary>The frame loop. Returns why it ended too early, or null.</summary>
        private static string Play(Client client, Options options)
        {
            ulong frameDueNs = ThetaRuntime.NowNs;
            ulong fixedDueNs = frameDueNs;
            ulong secondEndsNs = frameDueNs + 1000000000;
            while (!_stop)
            {
                ulong nowNs = WaitUntil(ref frameDueNs);
                client.EarlyUpdate();
                for (int i = 0; fixedDueNs <= nowNs; i++)
                {
                    fixedDueNs = i < MaxFixedUpdates ? fixedDueNs + FixedPeriodNs : nowNs + FixedPeriodNs;
                    client.FixedUpdate();
                }
                client.Update();
                client.BeforeRender();
                client.PostLateUpdate();

                if (nowNs >= secondEndsNs)
                {
                    secondEndsNs += 1000000000;
                    client.EachSecond();
                }
                if (client.Problem != null)
                {
                    return client.Problem;
                }
                if (!client.IsLive && client.SecondsSinceStart > Client.PatienceSeconds)
                {
                    return "The session was not live within 20 s.";
                }
                if (options.Seconds > 0 && client.SecondsLive >= options.Seconds)
                {
                    return null;
                }
            }
            return null;
        }

        /// <summary>Sleeps to the next frame against absolute deadlines, so that sleeping too long once does not shift the rest.</summary>
        private static ulong WaitUntil(ref ulong dueNs)
        {
            ulong nowNs = ThetaRuntime.NowNs;
            while (nowNs < dueNs)
            {
                // Rounded up: a millisecond late is better than a core spent on waiting.
                Thread.Sleep((int)((dueNs - nowNs + 999999) / 1000000));
                nowNs = ThetaRuntime.NowNs;
            }
            dueNs += FramePeriodNs;
            if (nowNs > dueNs + (10 * FramePeriodNs))
            {
                dueNs = nowNs + FramePeriodNs;
            }
            return nowNs;
        }

        /// <summary>The ticket from a file that the server may not have written yet.</summary>
        private static string ReadTicket(string path)
        {
            for (int i = 0; i < Client.PatienceSeconds * 20 && !_stop; i++)
            {
                if (File.Exists(path))
                {
                    string[] lines = File.ReadAllLines(path);
                    if (lines.Length > 0 && lines[0].Length > 0)
                    {
                        return lines[0];
                    }
                }
                Thread.Sleep(50);
            }
            throw new IOException("no ticket in " + path + " within 20 s");
        }
    }
}
