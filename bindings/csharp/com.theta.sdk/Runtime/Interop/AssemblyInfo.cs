using System.Runtime.CompilerServices;

// Nothing in this assembly is public: users see the Theta assembly, so that their asmdef needs one reference only.
[assembly: InternalsVisibleTo("Theta")]
[assembly: InternalsVisibleTo("Theta.Tests")]
