using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Theta.Tests")]
